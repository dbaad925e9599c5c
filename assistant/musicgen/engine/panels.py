"""Products of a few rows with a matrix laid out in panels, for one CPU thread.

A panel holds 32 columns of the matrix row by row, so that it is read from end to end at the memory's speed
and each number read serves all rows at hand. Every sum is taken from the first row of the matrix to the
last, whatever the number of rows is: a row's result is the same bits alone and among others.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

WIDTH = 32
_LANES = ir.VectorType(ir.FloatType(), WIDTH)
_LONG = ir.IntType(64)


def has_vectors() -> bool:
    """Whether this processor has what the products are made for: fused products and halves in vectors."""
    features = llvm.get_host_cpu_features()
    return llvm.get_process_triple().startswith(("aarch64", "arm64")) or all(
        features.get(name, False) for name in ("avx2", "fma", "f16c")
    )


# As many sums as the vector registers hold.
_MANY_REGISTERS = bool(llvm.get_host_cpu_features().get("avx512f", False))


def to_panels(matrix: NDArray[Any]) -> NDArray[Any]:
    """Panels `[columns / 32 rounded up, rows, 32]` of a matrix `[rows, columns]`, filled up with zeros."""
    rows, columns = matrix.shape
    count = -(-columns // WIDTH)
    filled = np.zeros((rows, count * WIDTH), matrix.dtype)
    filled[:, :columns] = matrix
    return np.ascontiguousarray(filled.reshape(rows, count, WIDTH).transpose(1, 0, 2))


@intrinsic(prefer_literal=True)
def _accumulate(
    _context: Any,
    rows: Any,
    across: Any,
    x: Any,
    row: Any,
    column: Any,
    panels: Any,
    panel: Any,
    depth: Any,
    out: Any,
    out_row: Any,
    out_column: Any,
) -> Any:
    """Write the sums of `rows` rows of `x` and `across` panels, over the first `depth` rows of the panels.

    `x` is read from `row` and `column` on, `out` is written from `out_row` and `out_column` on; both are
    `[…, …]` in float32.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(across, types.IntegerLiteral):
        return None
    count, wide = rows.literal_value, across.literal_value

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args

        def array(number: int) -> Any:
            return context.make_array(kinds[number])(context, builder, values[number])

        def whole(number: int) -> Any:
            return context.cast(builder, values[number], kinds[number], types.int64)

        def line(of: Any, first: Any, number: int, column: Any) -> Any:
            """Where row `first + number` of an array begins, from a column on."""
            at = builder.mul(builder.add(first, _LONG(number)), builder.extract_value(of.shape, 1))
            return builder.gep(of.data, [builder.add(at, column)])

        source, matrix, target = array(2), array(5), array(8)
        row, column, panel, depth, out_row, out_column = (whole(at) for at in (3, 4, 6, 7, 9, 10))
        # Once in the compiled function, not at each place that multiplies.
        builder.function.attributes.add("noinline")
        kind = kinds[5].dtype
        lines = [line(source, row, number, column) for number in range(count)]
        panel_size = builder.mul(builder.extract_value(matrix.shape, 1), _LONG(WIDTH))
        heads = [
            builder.gep(matrix.data, [builder.mul(builder.add(panel, _LONG(number)), panel_size)])
            for number in range(wide)
        ]
        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_LANES, [_LANES] * 3), f"llvm.fmuladd.v{WIDTH}f32"
        )
        before = builder.block
        loop, after = builder.append_basic_block("sum"), builder.append_basic_block("summed")
        builder.branch(loop)
        builder.position_at_end(loop)
        place = builder.phi(_LONG)
        place.add_incoming(_LONG(0), before)
        sums = [builder.phi(_LANES) for _sum in range(count * wide)]
        vectors = []
        for head in heads:
            at = builder.gep(head, [builder.mul(place, _LONG(WIDTH))])
            at = builder.bitcast(at, ir.VectorType(context.get_data_type(kind), WIDTH).as_pointer())
            vectors.append(_to_floats(builder, builder.load(at, align=kind.bitwidth // 8), kind))
        following = []
        for number, begin in enumerate(lines):
            factor = _spread(builder, builder.load(builder.gep(begin, [place])))
            following += [
                builder.call(fused, [factor, vector, sums[number * wide + side]])
                for side, vector in enumerate(vectors)
            ]
        next_place = builder.add(place, _LONG(1))
        builder.cbranch(builder.icmp_signed("<", next_place, depth), loop, after)
        place.add_incoming(next_place, loop)
        for one, grown in zip(sums, following, strict=True):
            one.add_incoming(_LANES([0.0] * WIDTH), before)
            one.add_incoming(grown, loop)
        builder.position_at_end(after)
        for number in range(count):
            begin = line(target, out_row, number, out_column)
            for side in range(wide):
                at = builder.gep(begin, [_LONG(side * WIDTH)])
                at = builder.bitcast(at, _LANES.as_pointer())
                builder.store(following[number * wide + side], at, align=4)
        return context.get_dummy_value()

    return (
        types.void(rows, across, x, row, column, panels, panel, depth, out, out_row, out_column),
        build,
    )


def _spread(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    lone = builder.insert_element(_LANES(ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(
        lone, _LANES(ir.Undefined), ir.VectorType(ir.IntType(32), WIDTH)([0] * WIDTH)
    )


def _to_floats(builder: Any, vector: Any, kind: Any) -> Any:
    """A vector of float32, of the bits of halves in uint16, or of int8."""
    if kind == types.float32:
        return vector
    if kind == types.int8:
        return builder.sitofp(vector, _LANES)
    return builder.fpext(builder.bitcast(vector, ir.VectorType(ir.HalfType(), WIDTH)), _LANES)


@numba.njit
def multiply(x: Any, panels: Any, out: Any) -> None:
    """Write the product of `x` `[rows, depth or more]` and panels `[count, depth, 32]` to `out`
    `[rows, count · 32]`; all float32, or the panels halves (their bits in uint16) or int8."""
    rows, depth = len(x), panels.shape[1]
    for panel in range(len(panels)):
        row, column = 0, panel * WIDTH
        if _MANY_REGISTERS:
            while row + 8 <= rows:
                _accumulate(8, 1, x, row, 0, panels, panel, depth, out, row, column)
                row += 8
        while row + 2 <= rows:
            _accumulate(2, 1, x, row, 0, panels, panel, depth, out, row, column)
            row += 2
        if row < rows:
            _accumulate(1, 1, x, row, 0, panels, panel, depth, out, row, column)


@numba.njit
def multiply_row(x: Any, row: Any, column: Any, panels: Any, count: Any, depth: Any, out: Any) -> None:
    """Write the product of `depth` numbers of `x` from `[row, column]` on and the first `count` panels
    `[…, depth or more, 32]` to `out` `[1, count · 32 or more]`."""
    for panel in range(0, count - 1, 2):
        _accumulate(1, 2, x, row, column, panels, panel, depth, out, 0, panel * WIDTH)
    if count % 2:
        _accumulate(1, 1, x, row, column, panels, count - 1, depth, out, 0, (count - 1) * WIDTH)
