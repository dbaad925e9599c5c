"use strict";

const words = JSON.parse(document.body.dataset.words);
const $ = (id) => document.getElementById(id);
const audio = $("audio");

let items = [];
let current = null;     // the item in the player
let chosen = 0;         // the row that the arrow keys are on
let number = 0;         // the last order of the program that was followed
let ordered = null;     // the order that the present sound comes from, for the reports
let peaks = [];
let lastReport = 0;
let gain = 1;           // of the present order, at most 1

function level() { audio.volume = Number($("volume").value) * gain; }
function setLoop(on) { audio.loop = on; $("loop").setAttribute("aria-pressed", String(on)); }

// What the program says

const stream = new EventSource("events");
stream.onmessage = (message) => follow(JSON.parse(message.data));
stream.onopen = () => { $("state").textContent = words.connected; $("state").className = "on"; };
stream.onerror = () => { $("state").textContent = words.ended; $("state").className = ""; };

function follow(state) {
  items = state.items;
  chosen = Math.min(chosen, Math.max(0, items.length - 1));
  if (!state.now) {
    if (ordered !== null) { ordered = null; audio.pause(); }
  } else if (state.now.number !== number) {
    number = ordered = state.now.number;
    chosen = Math.max(0, items.findIndex((item) => item.id === state.now.id));
    start(items[chosen], state.now.start, state.now.gain, state.now.loop);
  }
  list();
}

function report(state) {
  if (ordered === null) return;
  lastReport = Date.now();
  fetch("report", {
    method: "POST",
    keepalive: true,
    body: JSON.stringify({ number: ordered, state, position: audio.currentTime || 0 }),
  }).catch(() => {});
}

// The sound

function start(item, at, decibels, again) {
  if (!item) return;
  current = item;
  gain = 10 ** ((decibels || 0) / 20);
  level();
  setLoop(Boolean(again));
  peaks = [];
  $("failed").hidden = true;
  $("name").textContent = item.name;
  $("folder").textContent = item.folder;
  $("toggle").disabled = false;
  $("save").hidden = false;
  $("save").href = "file/" + item.id;
  $("save").download = item.name;
  document.title = item.name;
  audio.src = "file/" + item.id;
  if (at > 0) audio.addEventListener("loadedmetadata", () => { audio.currentTime = at; }, { once: true });
  play();
  fetch("waveform/" + item.id)
    .then((answer) => (answer.ok ? answer.json() : []))
    .then((columns) => { if (current === item) { peaks = columns; draw(); } })
    .catch(() => {});
  list();
  draw();
}

function play() {
  audio.play().then(() => { $("blocked").hidden = true; }).catch((error) => {
    if (error.name === "NotAllowedError") { $("blocked").hidden = false; report("blocked"); }
  });
}

function toggle() {
  if (!current) return;
  if (audio.paused) play(); else audio.pause();
}

function choose(item) {
  report("ended");      // what the program ordered is heard no more
  ordered = null;       // the listener's own choice: the program is not told of it
  start(item, 0);
}

function seek(seconds) {
  if (Number.isFinite(audio.duration)) audio.currentTime = Math.max(0, Math.min(audio.duration, seconds));
}

audio.onplaying = () => { report("playing"); show(); };
audio.onpause = () => { if (!audio.ended && !audio.error) report("paused"); show(); };
audio.onended = () => { report("ended"); show(); };
audio.onseeked = () => report(audio.paused ? "paused" : "playing");
audio.onerror = () => { if (current) { $("failed").hidden = false; report("failed"); } };
audio.ondurationchange = show;
audio.ontimeupdate = () => {
  show();
  if (!audio.paused && Date.now() - lastReport > 5000) report("playing");
};

// What is seen

function clock(seconds) {
  const whole = Math.floor(seconds || 0);
  return Math.floor(whole / 60) + ":" + String(whole % 60).padStart(2, "0");
}

function show() {
  const length = Number.isFinite(audio.duration) ? audio.duration : 0;
  $("time").textContent = clock(audio.currentTime) + " / " + clock(length);
  $("toggle").textContent = audio.paused ? words.play : words.pause;
  if (document.activeElement !== $("seek")) $("seek").value = length ? audio.currentTime / length : 0;
  draw();
}

function draw() {
  const canvas = $("wave");
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d");
  const colours = getComputedStyle(document.documentElement);
  const heard = audio.duration ? audio.currentTime / audio.duration : 0;
  pen.clearRect(0, 0, width, height);
  const columns = peaks.length || 1;
  for (let column = 0; column < columns; column++) {
    const [low, high] = peaks[column] || [0, 0];
    const left = Math.floor((column * width) / columns);
    const right = Math.max(left + 1, Math.floor(((column + 1) * width) / columns));
    const top = Math.round(((1 - high) * height) / 2);
    const bottom = Math.max(top + scale, Math.round(((1 - low) * height) / 2));
    pen.fillStyle = colours.getPropertyValue((column + 1) / columns <= heard ? "--accent" : "--line");
    pen.fillRect(left, top, right - left, bottom - top);
  }
}

function list() {
  $("empty").hidden = items.length > 0;
  $("list").replaceChildren(...items.map((item, row) => {
    const line = document.createElement("li");
    const folder = document.createElement("span");
    line.append(item.name, folder);
    folder.textContent = item.folder;
    line.role = "option";
    line.ariaSelected = String(row === chosen);
    line.classList.toggle("chosen", row === chosen);
    line.classList.toggle("now", Boolean(current) && item.id === current.id);
    line.onclick = () => { chosen = row; choose(item); };
    return line;
  }));
}

// What the listener does

$("toggle").onclick = toggle;
$("blocked").onclick = play;
$("volume").oninput = level;
$("loop").onclick = () => setLoop(!audio.loop);
$("seek").oninput = () => seek(Number($("seek").value) * audio.duration);
$("wave").onclick = (event) => seek((event.offsetX / $("wave").clientWidth) * audio.duration);
window.addEventListener("resize", draw);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.tagName === "INPUT" && event.key.startsWith("Arrow")) return;
  if ((event.target.tagName === "BUTTON" || event.target.tagName === "A") && event.key === "Enter") return;
  const keys = {
    " ": toggle,
    ArrowLeft: () => seek(audio.currentTime - 5),
    ArrowRight: () => seek(audio.currentTime + 5),
    ArrowUp: () => move(-1),
    ArrowDown: () => move(1),
    Enter: () => choose(items[chosen]),
    0: () => seek(0),
    m: () => { audio.muted = !audio.muted; },
    l: () => setLoop(!audio.loop),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

function move(rows) {
  chosen = Math.max(0, Math.min(items.length - 1, chosen + rows));
  list();
  const line = $("list").children[chosen];
  if (line) line.scrollIntoView({ block: "nearest" });
}
