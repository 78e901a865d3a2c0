// The clips of a page: a list that filters, and a stage on which a clip plays while a line runs over its pictures.
// Every name is set as text, never as HTML. Nothing is loaded: the policy of the page would refuse it.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const LEFT = 52, RIGHT = 8; // pixels beside a picture, for its scale
  const MAGMA = [ // of Matplotlib (CC0), in steps of a fifteenth
    [0, 0, 4], [11, 9, 36], [32, 17, 75], [59, 15, 112], [87, 21, 126], [114, 31, 129], [140, 41, 129], [168, 50, 125],
    [196, 60, 117], [222, 73, 104], [241, 96, 93], [250, 127, 94], [254, 159, 109], [254, 191, 132], [253, 222, 160], [252, 253, 191],
  ];
  const SMOOTH_TIME = 0.003, SMOOTH_UNITS = 4; // standard deviations, as spikedata.plot draws a cochleagram: s, units of 700

  // What is wider than the screen scrolls, so it must be reachable by keys.
  const regions = () => document.querySelectorAll(".wide, pre, .scroll").forEach((element) => {
    const scrolls = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    if (scrolls) element.tabIndex = 0; else element.removeAttribute("tabindex");
  });
  regions();
  addEventListener("resize", regions);
  document.querySelectorAll("details").forEach((element) => element.addEventListener("toggle", regions));
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((element) => { element.open = true; }));

  const root = document.getElementById("player");
  if (!root || !data.clips || !data.clips.length) return;

  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const list = find("list"), status = find("status"), title = find("title"), about = find("about"), panels = find("panels");
  const button = find("play"), place = find("place"), clock = find("clock"), speed = find("speed"), heads = root.querySelectorAll(".head");
  const selects = { c: find("class"), s: find("speaker"), p: find("part"), k: find("answer") }, words = find("text");
  const make = (tag, kind, content) => {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (content !== undefined) element.textContent = content;
    return element;
  };
  const scale = data.hertz ? "Hz" : "unit";
  const count = (number) => number.toLocaleString("en-US");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // ---- what is packed in the page ----
  const bytes = (packed) => Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const cells = (packed) => { // gaps between cells, 7 bits to a byte
    const from = bytes(packed), found = [];
    let cell = 0, gap = 0, factor = 1;
    for (const byte of from) {
      gap += (byte & 127) * factor;
      if (byte & 128) { factor *= 128; continue; }
      cell += gap;
      found.push(cell);
      gap = 0;
      factor = 1;
    }
    return found;
  };

  // ---- the list and its filters ----
  const speakerName = (number) => (number < 0 ? "speaker unknown" : `speaker ${number}`);
  const knowsSpeakers = data.clips.some((clip) => clip.s >= 0);
  const right = (clip) => (clip.answer === clip.c ? "right" : "wrong");
  data.clips.forEach((clip, index) => {
    clip.name = data.classes[clip.c];
    clip.k = clip.answer === undefined ? undefined : right(clip) === "right" ? 0 : 1;
    const item = make("li");
    item.id = `clip-${index}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const answered = clip.k === undefined ? "" : clip.k === 0 ? "✓ " : "✗ ";
    item.append(make("span", "name", answered + clip.name), make("span", "length", `${clip.length.toFixed(2)} s`));
    const facts = knowsSpeakers ? [speakerName(clip.s)] : [];
    if (clip.p >= 0) facts.push(data.parts[clip.p]);
    if (clip.id) facts.push(clip.id);
    item.append(make("span", "about", facts.join(" · ")));
    item.addEventListener("click", () => choose(index));
    clip.item = item;
    clip.text = [clip.name, clip.id, ...facts].join(" ").toLowerCase();
    list.append(item);
  });
  const fill = (select, values, name) => {
    if (!select) return;
    if (values.length < 2) { select.closest("label").hidden = true; return; }
    for (const value of values) {
      const option = make("option", "", name(value));
      option.value = value;
      select.append(option);
    }
    select.addEventListener("change", filter);
  };
  const distinct = (key) => [...new Set(data.clips.map((clip) => clip[key]))].filter((value) => value !== undefined).sort((a, b) => a - b);
  fill(selects.c, distinct("c"), (value) => data.classes[value]);
  fill(selects.s, distinct("s"), (value) => (value < 0 ? "unknown" : String(value)));
  fill(selects.p, distinct("p").filter((value) => value >= 0), (value) => data.parts[value]);
  fill(selects.k, distinct("k"), (value) => ["right", "wrong"][value]);
  words.addEventListener("input", filter);

  let shown = data.clips.map((_, index) => index), chosen = -1;
  function filter() {
    const wanted = words.value.trim().toLowerCase();
    shown = [];
    data.clips.forEach((clip, index) => {
      const fits = Object.entries(selects).every(([key, select]) => !select || select.value === "" || clip[key] === Number(select.value));
      clip.item.hidden = !(fits && clip.text.includes(wanted));
      if (!clip.item.hidden) shown.push(index);
    });
    status.textContent = shown.length ? `${count(shown.length)} of ${count(data.clips.length)} clips shown` : "No clip matches.";
    if (shown.length && !shown.includes(chosen)) choose(shown[0]);
  }
  list.addEventListener("keydown", (event) => {
    const at = shown.indexOf(chosen), last = shown.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8, Home: 0, End: last }[event.key];
    if (to !== undefined && shown.length) {
      event.preventDefault();
      choose(shown[Math.min(Math.max(to, 0), last)]);
    } else if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      toggle();
    }
  });

  // ---- time: that of the sound, or of a clock where there is none, or none any more ----
  const audio = new Audio();
  let url = "", isRunning = false, isHeard = false, since = 0, from = 0, frame = 0;
  const clip = () => data.clips[chosen];
  const now = () => {
    if (isHeard) return audio.currentTime;
    return isRunning ? Math.min(from + (performance.now() - since) / 1000 * Number(speed.value), clip().end) : from;
  };
  const hear = (time) => { // the sound from there, if it reaches so far
    isHeard = Boolean(clip().sound) && !(time >= audio.duration);
    if (!isHeard) { audio.pause(); return; }
    audio.currentTime = time;
    audio.playbackRate = Number(speed.value);
    if (isRunning) audio.play().catch((error) => { stop(); about.textContent = `The browser does not play it: ${error.message}`; });
  };
  const seek = (time) => {
    from = Math.min(Math.max(time, 0), clip().end);
    since = performance.now();
    hear(from);
    show(from);
  };
  const show = (time) => {
    const width = panels.clientWidth - LEFT - RIGHT;
    const to = LEFT + Math.min(time / clip().end, 1) * width - 1;
    heads.forEach((head) => { head.style.transform = `translateX(${to}px)`; });
    place.value = String(Math.round(1000 * time / clip().end));
    place.setAttribute("aria-valuetext", `${time.toFixed(2)} of ${clip().end.toFixed(2)} s`);
    clock.textContent = `${time.toFixed(2)} of ${clip().end.toFixed(2)} s`;
  };
  const label = () => { button.textContent = isRunning ? "Pause" : "Play"; };
  function stop() {
    if (chosen >= 0) from = now();
    isRunning = false;
    cancelAnimationFrame(frame);
    audio.pause();
    label();
  }
  function tick() {
    const time = now();
    show(time);
    if (time >= clip().end) stop();
    if (isRunning) frame = requestAnimationFrame(tick);
  }
  function toggle() {
    if (chosen < 0) return;
    if (isRunning) { stop(); return; }
    const at = now(); // before the clock runs
    isRunning = true;
    seek(at >= clip().end - 0.005 ? 0 : at);
    label();
    frame = requestAnimationFrame(tick);
  }
  audio.addEventListener("ended", () => { // what comes behind the sound is looked at by the clock
    from = Math.min(audio.duration, clip().end);
    since = performance.now();
    isHeard = false;
  });
  button.addEventListener("click", toggle);
  place.addEventListener("input", () => seek(Number(place.value) / 1000 * clip().end));
  speed.addEventListener("change", () => {
    if (chosen < 0) return;
    from = now();
    since = performance.now();
    audio.playbackRate = Number(speed.value);
  });
  panels.addEventListener("click", (event) => {
    if (!event.target.closest("figure > div")) return;
    const box = panels.getBoundingClientRect();
    seek((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT) * clip().end);
  });

  // ---- the stage ----
  function choose(index) {
    if (index === chosen) return;
    if (chosen >= 0) { stop(); clip().item.setAttribute("aria-selected", "false"); }
    chosen = index;
    const now = clip();
    now.item.setAttribute("aria-selected", "true");
    list.setAttribute("aria-activedescendant", now.item.id);
    const top = now.item.offsetTop - list.offsetTop; // not scrollIntoView, which would move the page, too
    if (top < list.scrollTop || top + now.item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 3;
    if (url) URL.revokeObjectURL(url);
    url = "";
    if (now.sound) {
      url = URL.createObjectURL(new Blob([bytes(now.sound)], { type: "audio/flac" }));
      audio.src = url;
    } else audio.removeAttribute("src");
    from = 0;
    isHeard = Boolean(now.sound);
    now.cells = now.cells || cells(now.spikes);
    title.textContent = now.name;
    const facts = [...(knowsSpeakers ? [speakerName(now.s)] : []), `${count(now.count)} ${now.count === 1 ? "spike" : "spikes"}`, `${now.length.toFixed(2)} s`, `clip ${now.n}`];
    if (now.p >= 0) facts.push(data.parts[now.p]);
    if (now.answer !== undefined) facts.unshift(`the network answers “${data.classes[now.answer]}”, which is ${right(now)}`);
    if (now.id) facts.push(now.id);
    if (!now.sound) facts.push("no sound on this page");
    about.textContent = facts.join(" · ");
    draw();
    show(0);
    label();
  }

  const picture = (canvas, height) => {
    const width = panels.clientWidth, scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "11px system-ui, sans-serif";
    return { pen, left: LEFT, top: 4, width: width - LEFT - RIGHT, height: height - 8 };
  };
  const frameOf = (box, ticks, n, name) => { // frame, marks and what they count; a mark has a place from 0 to n, from the top
    const { pen, left, top, width, height } = box;
    pen.strokeStyle = color("--rule");
    pen.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
    pen.fillStyle = color("--soft");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    let last = -99;
    for (const [at, mark] of ticks) {
      const y = top + (at + 0.5) / n * height;
      if (Math.abs(y - last) < 13) continue;
      last = y;
      pen.fillRect(left - 4, y, 4, 1);
      pen.fillText(mark, left - 7, Math.min(Math.max(y, top + 5), top + height - 4));
    }
    pen.save();
    pen.translate(7, top + height / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText(name, 0, 0);
    pen.restore();
  };
  const blur = (values, rows, columns, sigma, isAlongRows) => { // by a Gaussian; beyond the edge is the last value, as in SciPy nearly
    if (sigma < 0.3) return values;
    const reach = Math.ceil(3 * sigma), kernel = [];
    for (let k = -reach; k <= reach; k += 1) kernel.push(Math.exp(-0.5 * (k / sigma) ** 2));
    const sum = kernel.reduce((a, b) => a + b), out = new Float32Array(values.length);
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        let total = 0;
        for (let k = -reach; k <= reach; k += 1) {
          const r = isAlongRows ? row : Math.min(Math.max(row + k, 0), rows - 1);
          const c = isAlongRows ? Math.min(Math.max(column + k, 0), columns - 1) : column;
          total += kernel[k + reach] * values[r * columns + c];
        }
        out[row * columns + column] = total / sum;
      }
    }
    return out;
  };
  function rates(now) { // spikes by time and channel, smoothed [1/s]
    const columns = Math.max(Math.min(Math.round(now.end / 0.002), 500), 60), merged = Math.max(Math.ceil(data.units / 175), 1);
    const rows = Math.ceil(data.units / merged), width = now.end / columns, each = 1 / (merged * width);
    let values = new Float32Array(rows * columns);
    for (const cell of now.cells) {
      const step = Math.floor(cell / data.units), unit = cell % data.units;
      values[Math.floor(unit / merged) * columns + Math.floor((step + 0.5) / now.steps * columns)] += each;
    }
    values = blur(values, rows, columns, SMOOTH_TIME / width, true);
    values = blur(values, rows, columns, SMOOTH_UNITS * data.units / 700 / merged, false);
    let most = 0;
    for (const value of values) most = Math.max(most, value);
    return { values, rows, columns, most };
  }
  function drawRates(canvas, now) {
    const box = picture(canvas, 190), found = now.rates || (now.rates = rates(now));
    const image = new ImageData(found.columns, found.rows);
    found.values.forEach((value, index) => {
      const at = found.most ? value / found.most * 15 : 0, low = Math.min(Math.floor(at), 14);
      for (let k = 0; k < 3; k += 1) image.data[4 * index + k] = MAGMA[low][k] + (at - low) * (MAGMA[low + 1][k] - MAGMA[low][k]);
      image.data[4 * index + 3] = 255;
    });
    const small = document.createElement("canvas");
    small.width = found.columns;
    small.height = found.rows;
    small.getContext("2d").putImageData(image, 0, 0);
    box.pen.imageSmoothingEnabled = true;
    box.pen.drawImage(small, box.left, box.top, box.width, box.height);
    frameOf(box, data.ticks, data.units, scale);
    return `Black is silent, the brightest ${found.most < 10 ? found.most.toFixed(1) : Math.round(found.most)} spikes per second and channel.`;
  }
  function drawSpikes(canvas, height, found, steps, units, ticks, name) {
    const box = picture(canvas, height), w = Math.max(box.width / steps, 1.1), h = Math.max(box.height / units * 0.9, 1.1);
    frameOf(box, ticks, units, name);
    box.pen.fillStyle = color("--ink");
    box.pen.globalAlpha = found.length > 4000 ? 0.75 : 1;
    for (const cell of found) {
      const step = Math.floor(cell / units), unit = cell % units;
      box.pen.fillRect(box.left + (step + 0.5) / steps * box.width - w / 2, box.top + (unit + 0.5) / units * box.height - h / 2, w, h);
    }
    box.pen.globalAlpha = 1;
    return box;
  }
  function drawReadout(canvas, now) {
    const box = picture(canvas, 150), { pen, left, top, width, height } = box, read = now.readout;
    const values = now.values || (now.values = bytes(read.values)), n = read.traces; // the answer, the true class, others
    frameOf(box, [[-0.5, read.high], [1.5, read.low]], 2, "readout");
    const trace = (which, stroke, weight) => {
      pen.strokeStyle = stroke;
      pen.lineWidth = weight;
      pen.beginPath();
      for (let step = 0; step < read.steps; step += 1) {
        const x = left + (step + 0.5) * read.dt / now.end * width, y = top + height - 3 - values[step * n + which] / 255 * (height - 6);
        if (step) pen.lineTo(x, y); else pen.moveTo(x, y);
      }
      pen.stroke();
    };
    const first = now.answer === now.c ? 1 : 2;
    for (let which = first; which < n; which += 1) trace(which, color("--soft"), 0.6);
    if (first === 2) trace(1, color("--accent"), 2);
    trace(0, color("--mark"), 2.5);
    pen.lineWidth = 1;
    const also = first === 1 ? "" : `; blue: the true class “${data.classes[now.c]}”`;
    return `orange: the answer “${data.classes[now.answer]}”${also}; thin: ${count(n - first)} others.`;
  }
  function scaleOfTime(canvas, now) {
    const box = picture(canvas, 26), { pen, left, width } = box;
    const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600].find((s) => now.end / s <= Math.max(width / 60, 2)) || 3600;
    pen.fillStyle = color("--soft");
    pen.textBaseline = "top";
    for (let n = 0; n * step <= now.end; n += 1) {
      const x = left + n * step / now.end * width;
      pen.fillRect(x, 0, 1, 4);
      pen.textAlign = x > left + width - 22 ? "right" : "center";
      pen.fillText(`${Number((n * step).toPrecision(6))} s`, x, 7);
    }
  }
  const described = (now) => { // for those who do not see the pictures
    if (!now.cells.length) return "There is no spike in it.";
    const each = new Map(), first = Math.floor(now.cells[0] / data.units) / now.steps * now.end;
    const last = Math.floor(now.cells[now.cells.length - 1] / data.units) / now.steps * now.end;
    for (const cell of now.cells) each.set(cell % data.units, (each.get(cell % data.units) || 0) + 1);
    const sorted = now.cells.map((cell) => cell % data.units).sort((a, b) => a - b), at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
    const hertz = (unit) => `${Number(data.hertz[Math.min(Math.floor(unit / data.units * data.hertz.length), data.hertz.length - 1)].toPrecision(2))} Hz`;
    const range = data.hertz ? `between ${hertz(at(0.75))} and ${hertz(at(0.25))}` : `in units ${at(0.25)} to ${at(0.75)}`;
    return `${count(now.count)} spikes from ${first.toFixed(2)} to ${last.toFixed(2)} s; half of them ${range}.`;
  };
  function draw() {
    const now = clip();
    panels.querySelectorAll("figure").forEach((figure) => {
      const canvas = figure.querySelector("canvas"), caption = figure.querySelector("figcaption span");
      let said = "";
      if (figure.dataset.kind === "rates") said = drawRates(canvas, now);
      if (figure.dataset.kind === "raster") drawSpikes(canvas, 230, now.cells, now.steps, data.units, data.ticks, scale);
      if (figure.dataset.kind === "readout") said = drawReadout(canvas, now);
      if (figure.dataset.kind === "hidden") {
        const inner = now.hidden, until = Math.max(Math.round(now.end / inner.dt), 1);
        now.inner = now.inner || cells(inner.spikes);
        const seen = now.inner.filter((cell) => Math.floor(cell / inner.units) < until);
        drawSpikes(canvas, 150, seen, until, inner.units, [[0, "0"], [inner.units - 1, String(inner.units - 1)]], "neuron");
        said = `${count(now.inner.length)} spikes of ${count(inner.units)} neurons.`;
      }
      if (caption) caption.textContent = said;
      const name = figure.querySelector("figcaption").textContent;
      if (figure.dataset.kind !== "time") canvas.setAttribute("aria-label", `${name} Clip of “${now.name}”, ${speakerName(now.s)}: ${described(now)}`);
      if (figure.dataset.kind === "time") scaleOfTime(canvas, now);
    });
  }
  const again = () => { if (chosen >= 0) { draw(); show(now()); } };
  let waiting = 0;
  addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(again); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", again);

  root.hidden = false;
  filter();
})();
