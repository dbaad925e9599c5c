"""K-means by Lloyd's iterations, with empty clusters moved to points that are far from any centre."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def kmeans(points: Tensor, clusters: int, *, iterations: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Centres `[clusters, dimension]` and sizes `[clusters]` of `points` `[number, dimension]`.

    With fewer points than clusters some centres are points with a little noise.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    number = len(points)
    if number < clusters:
        chosen = torch.randperm(number, generator=generator)
        more = torch.randint(number, (clusters - number,), generator=generator)
        noise = torch.randn(clusters - number, points.shape[1], generator=generator)
        centres = torch.cat([points[chosen], points[more] + 1e-3 * points.std() * noise])
    else:
        centres = _far_apart(points, clusters, generator)
    sizes = torch.ones(clusters)
    for _round in range(iterations):
        distances, nearest = _nearest(points, centres)
        sizes = torch.bincount(nearest, minlength=clusters).to(points.dtype)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        centres = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], centres)
        empty = torch.nonzero(sizes == 0).flatten()
        if len(empty) and number >= clusters:
            centres[empty] = points[distances.topk(len(empty)).indices]
    return centres, sizes.clamp(min=0.5)


def _far_apart(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """First centres by k-means++: each point is drawn by its squared distance to those before."""
    import torch

    chosen = [int(torch.randint(len(points), (1,), generator=generator))]
    squares = (points - points[chosen[0]]).pow(2).sum(1)
    while len(chosen) < clusters:
        weights = squares + 1e-12  # also where all points are one
        chosen.append(int(torch.multinomial(weights, 1, generator=generator)))
        squares = torch.minimum(squares, (points - points[chosen[-1]]).pow(2).sum(1))
    return points[chosen].clone()


def _nearest(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    squares = points.pow(2).sum(1, keepdim=True) - 2 * points @ centres.T + centres.pow(2).sum(1)
    found = squares.min(dim=1)
    return found.values, found.indices
