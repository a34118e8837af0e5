// The labelling widget's face. It shows what `label_desk` tells and asks for images by their place in
// the queue. Names and reasons come from files that may be hostile: they become text, never HTML.

const SLOW_MS = 350; // until a person is told that an answer is awaited
const LOST_MS = 6000; // until they are told that none comes
const LIMITS = { small: 120, screen: 10, full: 2 }; // pictures kept of each size
const MOST_ENLARGED = 3; // a small image isn't blown up to fill the screen
const MOST_ZOOM = 40;
// Of the labels; white text can be read on each.
const COLOURS = { photo: "#0072b2", other: "#b84d00", unsure: "#7a6200", "": "#5f6b77" };
const OF_CLASSES = ["#00795a", "#a8457f", "#5b54a8", "#8a4b2a", "#2b6f8f", "#4d7312", "#b5246e", "#80404d", "#555555"];

/** Make an element; what is text stays text. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** Pictures by size and place, the oldest forgotten: memory stays flat over any queue. */
class Pictures {
  constructor() {
    this.kept = new Map();
  }
  get(n, size) {
    return this.kept.get(`${size}/${n}`);
  }
  put(n, size, picture, needed) {
    this.drop(`${size}/${n}`);
    this.kept.set(`${size}/${n}`, picture);
    const same = [...this.kept.keys()].filter((key) => key.startsWith(`${size}/`));
    let surplus = same.length - LIMITS[size];
    for (const key of same) {
      if (surplus <= 0) break;
      if (needed.has(key)) continue;
      this.drop(key);
      surplus -= 1;
    }
  }
  drop(key) {
    const old = this.kept.get(key);
    if (old?.url) URL.revokeObjectURL(old.url);
    this.kept.delete(key);
  }
  clear() {
    for (const key of [...this.kept.keys()]) this.drop(key);
  }
}

/** One image that is zoomed and moved. */
class Stage {
  constructor(words, wantFull) {
    this.wantFull = wantFull;
    this.img = make("img", { alt: "", draggable: "false" });
    this.note = make("div", { class: "note" });
    this.tools = make("div", { class: "tools" });
    this.node = make("div", { class: "stage" }, this.img, this.note, this.tools);
    this.fingers = new Map();
    this.picture = null;
    this.reset();
    this.node.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.node.addEventListener("pointerdown", (event) => this.down(event));
    this.node.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      this.node.addEventListener(kind, (event) => this.fingers.delete(event.pointerId));
    }
    this.node.addEventListener("dblclick", (event) => {
      if (this.zoom > 1) this.fit();
      else this.actual(event);
    });
    this.sizes = new ResizeObserver(() => this.place());
    this.sizes.observe(this.node);
  }
  reset() {
    this.zoom = 1;
    this.x = this.y = 0;
  }
  show(picture, alt, keepView = false) {
    if (!keepView) this.reset();
    this.picture = picture;
    this.img.src = picture.url;
    this.img.alt = alt;
    this.img.hidden = false;
    this.say("");
    this.place();
  }
  say(title, text = "") {
    this.note.replaceChildren();
    if (title) this.note.append(make("strong", {}, title));
    if (text) this.note.append(make("span", {}, text));
    this.note.hidden = !title;
  }
  empty(title, text = "") {
    this.picture = null;
    this.img.hidden = true;
    this.img.removeAttribute("src");
    this.say(title, text);
  }
  base() {
    const { own_width: width, own_height: height } = this.picture;
    const { clientWidth, clientHeight } = this.node;
    return Math.min(clientWidth / width, clientHeight / height, MOST_ENLARGED);
  }
  place() {
    if (!this.picture || !this.node.clientWidth) return;
    const scale = this.base() * this.zoom;
    const width = this.picture.own_width * scale;
    const height = this.picture.own_height * scale;
    const roomX = Math.max(0, (width - this.node.clientWidth) / 2);
    const roomY = Math.max(0, (height - this.node.clientHeight) / 2);
    this.x = Math.max(-roomX, Math.min(roomX, this.x));
    this.y = Math.max(-roomY, Math.min(roomY, this.y));
    Object.assign(this.img.style, {
      width: `${width}px`,
      height: `${height}px`,
      transform: `translate(calc(-50% + ${this.x}px), calc(-50% + ${this.y}px))`,
      imageRendering: scale > 6 ? "pixelated" : "auto",
    });
    this.node.classList.toggle("zoomed", this.zoom > 1);
    this.node.dataset.zoom = this.zoom.toFixed(2);
    const needed = this.picture.own_width * scale * devicePixelRatio;
    if (this.picture.width < this.picture.own_width && needed > 1.1 * this.picture.width) {
      if (this.zoom > 1) this.wantFull();
    }
  }
  zoomBy(factor, event) {
    if (!this.picture) return;
    const before = this.zoom;
    this.zoom = Math.max(1, Math.min(MOST_ZOOM, before * factor));
    const frame = this.node.getBoundingClientRect();
    const fromX = event ? event.clientX - frame.left - frame.width / 2 : 0;
    const fromY = event ? event.clientY - frame.top - frame.height / 2 : 0;
    const grown = this.zoom / before;
    this.x = fromX + (this.x - fromX) * grown;
    this.y = fromY + (this.y - fromY) * grown;
    this.place();
  }
  actual(event) {
    if (this.picture) this.zoomBy(1 / (this.base() * devicePixelRatio) / this.zoom, event);
  }
  fit() {
    this.reset();
    this.place();
  }
  pan(x, y) {
    this.x += x;
    this.y += y;
    this.place();
  }
  wheel(event) {
    // Whoever only scrolls past isn't caught.
    if (!this.node.closest(".photoclf-label").matches(":focus-within")) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 400), event);
  }
  down(event) {
    if (event.target.closest("button")) return;
    this.fingers.set(event.pointerId, event);
    if (this.zoom > 1) this.node.setPointerCapture(event.pointerId);
  }
  move(event) {
    const last = this.fingers.get(event.pointerId);
    if (!last) return;
    if (this.fingers.size === 2) {
      const [other] = [...this.fingers.values()].filter((f) => f.pointerId !== event.pointerId);
      const reach = (f) => Math.hypot(f.clientX - other.clientX, f.clientY - other.clientY);
      this.zoomBy(reach(event) / Math.max(reach(last), 1), event);
    } else {
      this.pan(event.clientX - last.clientX, event.clientY - last.clientY);
    }
    this.fingers.set(event.pointerId, event);
  }
  close() {
    this.sizes.disconnect();
  }
}

class Desk {
  constructor(model, el) {
    this.model = model;
    this.pictures = new Pictures();
    this.heats = new Map(); // of the current image alone
    this.state = null;
    this.waiting = false;
    this.heard = (message, buffers) => this.hear(message, buffers);
    // Jupyter listens before any element of the page does. It leaves alone what has this attribute, so
    // that the letters below reach nobody else; what is pressed with Ctrl stays Jupyter's.
    this.shielded = (event) => {
      const foreign = event.ctrlKey || event.metaKey || event.altKey;
      const leave = event.key === "Escape" && this.help?.hidden !== false;
      this.root.toggleAttribute("data-lm-suppress-shortcuts", !foreign && !leave);
    };
    this.root = make("div", { class: "photoclf-label", tabindex: "0", role: "group" });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusin", (event) => {
      if (!this.root.contains(event.relatedTarget)) this.root.scrollIntoView({ block: "nearest" });
    });
    // A button that was clicked would take the next Space for itself.
    this.root.addEventListener("click", (event) => {
      if (event.detail && !event.target.closest(".cell, input")) this.root.focus({ preventScroll: true });
    });
    el.append(this.root);
    window.addEventListener("keydown", this.shielded, true);
    model.on("msg:custom", this.heard);
    model.send({ kind: "ready" });
  }

  close() {
    this.model.off("msg:custom", this.heard);
    window.removeEventListener("keydown", this.shielded, true);
    clearTimeout(this.slow);
    clearTimeout(this.lost);
    clearTimeout(this.missed);
    this.stage?.close();
    this.pictures.clear();
    this.forgetHeat();
    this.root.remove();
  }

  hear(message, buffers) {
    if (message.kind === "hello" && !this.words) this.build(message);
    if (!this.words) return;
    if (message.kind === "state") this.tell(message);
    if (message.kind === "image") this.receive(message, buffers);
    if (message.kind === "heat") this.receiveHeat(message, buffers);
  }

  // What the page is made of.

  build({ words, classes }) {
    this.words = words;
    this.classes = classes;
    this.root.setAttribute("aria-label", words.region);
    this.bar = make("progress", { "aria-label": words.region, max: "1", value: "0" });
    this.count = make("span", { class: "count" });
    this.pace = make("span", { class: "pace" });
    this.gridButton = this.button("f", words.grid, () => this.turnGrid());
    const head = make(
      "div",
      { class: "head" },
      make("div", { class: "how-far" }, this.bar, this.count, this.pace),
      make(
        "div",
        { class: "turns" },
        this.gridButton,
        this.button("w", words.full_screen, () => this.fullScreen()),
        this.button("?", words.help, () => this.turnHelp()),
      ),
    );
    this.alert = make("div", { class: "alert", role: "alert", hidden: true });
    this.stage = new Stage(words, () => this.want());
    this.stage.tools.append(
      this.button("−", words.zoom_out, () => this.stage.zoomBy(1 / 1.4), true),
      this.button("+", words.zoom_in, () => this.stage.zoomBy(1.4), true),
      this.button("0", words.zoom_fit, () => this.stage.fit(), true),
      this.button("1:1", words.zoom_full, () => this.stage.actual(), true),
    );
    this.grid = make("div", { class: "grid", hidden: true, role: "group", "aria-label": words.grid });
    this.hint = make("div", { class: "hint" }, words.click_first);
    this.main = make("div", { class: "main" }, this.stage.node, this.grid, this.hint);
    this.side = make("div", { class: "side" });
    this.folder = make("bdi", { class: "folder" });
    this.name = make("bdi", { class: "name" });
    this.mark = make("span", { class: "mark" });
    this.limit = make("span", { class: "limit" });
    this.meter = make("div", { class: "meter", "aria-hidden": "true" }, this.limit, this.mark);
    this.score = make("span");
    this.proposal = make("span", { class: "proposal" });
    this.why = make("span", { class: "why" });
    this.heatButton = this.button("g", words.heat, () => this.turnHeat());
    this.heatNote = make("span", { class: "why", "aria-live": "polite" });
    this.card = make(
      "div",
      { class: "card" },
      make("div", { class: "title" }, this.folder, this.name),
      this.meter,
      make("div", { class: "facts" }, this.proposal, this.score),
      this.why,
      this.heatButton,
      this.heatNote,
    );
    this.choices = make("div", { class: "choices" });
    for (const [key, label] of this.labels()) {
      const button = this.button(key, this.says(label), () => this.decide(label));
      button.classList.add("choice", label === "photo" || label === "other" ? "main-choice" : "minor");
      this.dress(button, label);
      this.choices.append(button);
    }
    this.later = this.button("s", words.skip, () => this.skip());
    this.back = this.button("z", words.undo, () => this.undo());
    this.confirmButton = this.button("↵", words.confirm, () => this.confirm());
    this.confirmButton.classList.add("confirm");
    this.pageText = make("p", { class: "why" });
    const moves = make("div", { class: "moves" }, this.back, this.later);
    this.strip = make("div", { class: "strip" });
    const recent = make("div", { class: "recent" }, make("div", { class: "why" }, words.recent), this.strip);
    this.side.append(this.card, this.pageText, this.confirmButton, this.choices, moves, recent);
    this.live = make("div", { class: "live", "aria-live": "polite", role: "status" });
    this.help = this.buildHelp();
    const body = make("div", { class: "body" }, this.main, this.side);
    this.root.append(head, this.alert, body, this.live, this.help);
  }

  labels() {
    const classes = this.classes.map((name, i) => [String(i + 1), name]);
    return [["p", "photo"], ["o", "other"], ...classes, ["u", "unsure"]];
  }

  says(label, short = false) {
    if (label === "") return this.words.left_out;
    const known = ["photo", "other", "unsure"].includes(label);
    return known ? this.words[short ? `short_${label}` : label] : label;
  }

  /** Give what shows a label its colour; its words stand there as well. */
  dress(node, label) {
    const colour = COLOURS[label] ?? OF_CLASSES[this.classes.indexOf(label) % OF_CLASSES.length];
    node.style.setProperty("--label", colour);
    node.dataset.label = label;
  }

  button(key, text, action, small = false) {
    const attributes = { type: "button", title: small ? `${text} (${key})` : false, onclick: action };
    if (small) return make("button", { ...attributes, "aria-label": text }, key);
    const cap = make("kbd", { "aria-hidden": "true" }, key.toUpperCase());
    return make("button", attributes, cap, make("bdi", {}, text));
  }

  buildHelp() {
    const { words } = this;
    const rows = (pairs) =>
      make(
        "dl",
        {},
        ...pairs.flatMap(([keys, text]) => {
          const caps = keys.map((key) => make("kbd", {}, key));
          return [make("dt", {}, ...caps), make("dd", {}, text)];
        }),
      );
    const decide = this.labels().map(([key, label]) => [[key.toUpperCase()], this.says(label)]);
    const parts = [
      [words.keys_single, [...decide, [["S", "→"], words.skip], [["Z", "⌫"], words.undo]]],
      [
        words.keys_image,
        [
          [["+", "−", "0"], words.key_zoom],
          [["A"], words.zoom_full],
          [["⇧", "←", "→", "↑", "↓"], words.key_pan],
          [["G"], words.heat],
          [["W"], words.full_screen],
        ],
      ],
      [
        words.keys_page,
        [
          [["F"], words.grid],
          [["←", "→", "↑", "↓"], words.key_move],
          [["␣"], words.key_turn],
          [["P", "O", "…"], words.key_mark],
          [["↵"], words.key_confirm],
        ],
      ],
    ];
    const help = make("div", { class: "help", role: "dialog", "aria-label": words.keys, tabindex: "-1", hidden: true });
    help.append(
      make(
        "div",
        { class: "parts" },
        ...parts.map(([title, pairs]) => make("section", {}, make("h3", {}, title), rows(pairs))),
      ),
      make(
        "div",
        { class: "foot-line" },
        rows([[["Esc"], words.key_leave]]),
        make("span", { class: "why" }, words.next_is_kept),
        this.button("?", words.close, () => this.turnHelp(false)),
      ),
    );
    return help;
  }

  // What a person does.

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.words) return;
    if (event.key === "Tab" || (event.key === "Escape" && this.help.hidden)) return;
    const onButton = event.target.closest("button:not(.cell)");
    if (onButton && (event.key === "Enter" || event.key === " ")) {
      event.stopPropagation();
      return;
    }
    if (this.act(event)) event.preventDefault();
    event.stopPropagation();
  }

  act(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!this.help.hidden) {
      if (key === "Escape" || key === "?") this.turnHelp(false);
      return true;
    }
    if (key === "?") return this.turnHelp(), true;
    if (key === "f") return this.turnGrid(), true;
    if (key === "w") return this.fullScreen(), true;
    if (key === "z" || key === "Backspace") return this.undo(), true;
    return this.state?.page ? this.actOnPage(key) : this.actOnImage(key, event);
  }

  actOnImage(key, event) {
    const step = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] }[key];
    if (event.shiftKey && step) return this.stage.pan(...step), true;
    const label = this.labels().find(([cap]) => cap === key)?.[1];
    if (event.repeat && (label || key === "s" || key === " " || key === "ArrowRight")) return true;
    if (label) return this.decide(label), true;
    if (key === "s" || key === " " || key === "ArrowRight") return this.skip(), true;
    if (key === "g") return this.turnHeat(), true;
    if (key === "+" || key === "=") return this.stage.zoomBy(1.4), true;
    if (key === "-" || key === "−") return this.stage.zoomBy(1 / 1.4), true;
    if (key === "0") return this.stage.fit(), true;
    if (key === "a") return this.stage.actual(), true;
    return false;
  }

  actOnPage(key) {
    const cells = [...this.grid.querySelectorAll(".cell")];
    const here = Math.max(0, cells.indexOf(this.chosen()));
    const across = Math.max(1, cells.filter((cell) => cell.offsetTop === cells[0]?.offsetTop).length);
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[key];
    if (move) {
      const to = here + move;
      if (cells[to]) this.choose(cells[to]);
      return true;
    }
    if (key === "Enter") return this.confirm(), true;
    if (key === " ") return this.turnCell(cells[here]), true;
    if (key === "s") return this.label(cells[here], ""), true;
    const label = this.labels().find(([cap]) => cap === key)?.[1];
    if (label) return this.label(cells[here], label), true;
    return false;
  }

  decide(label) {
    const { state } = this;
    if (state?.page) {
      const cell = this.chosen() ?? this.grid.querySelector(".cell");
      if (cell) this.label(cell, label);
      return;
    }
    // Only what is seen is decided.
    if (state?.n == null || this.root.dataset.shown !== String(state.n)) return;
    const { sha256 } = this.root.dataset;
    if (this.ask({ kind: "decide", n: state.n, label, sha256 })) this.flash(label);
  }

  /** Take back the step that is seen as the last one; where that is another by now, nothing is. */
  undo() {
    this.ask({ kind: "undo", n: this.state?.history.at(-1)?.n ?? null });
  }

  /** Answer a key at once, in the colour of what it said. */
  flash(label) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const button = [...this.choices.children].find((choice) => choice.dataset.label === label);
    const colour = button.style.getPropertyValue("--label");
    const frames = [{ boxShadow: `0 0 0 4px ${colour}` }, { boxShadow: "0 0 0 4px transparent" }];
    this.stage.node.animate(frames, { duration: 350 });
  }

  skip() {
    if (this.state?.page) this.label(this.chosen(), "");
    else if (this.state?.n != null) this.ask({ kind: "skip", n: this.state.n });
  }

  confirm() {
    if (!this.state?.page?.length || !this.pageIsThere()) return;
    const labels = {};
    const sha256 = {}; // of what is seen
    for (const { dataset } of this.grid.querySelectorAll(".cell")) {
      labels[dataset.n] = dataset.label;
      if (dataset.sha256) sha256[dataset.n] = dataset.sha256;
    }
    this.ask({ kind: "page", labels, sha256 });
  }

  turnGrid() {
    this.ask({ kind: "grid", on: !this.state?.page });
  }

  turnHelp(on = this.help.hidden) {
    this.help.hidden = !on;
    (on ? this.help : this.root).focus({ preventScroll: true });
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.().catch(() => {});
  }

  turnHeat() {
    const { n } = this.state ?? {};
    if (n == null || this.state.page || this.root.dataset.shown !== String(n)) return;
    if (this.root.dataset.heat) return this.showImage();
    if (this.heats.has(n)) return this.showHeat(n);
    this.asksHeat = n;
    this.heatNote.textContent = this.words.heat_wait;
    this.model.send({ kind: "heat", n });
  }

  /** Send what changes something; until the answer comes, nothing else is taken. */
  ask(message) {
    if (this.waiting) return false;
    this.waiting = true;
    this.slow = setTimeout(() => this.root.classList.add("slow"), SLOW_MS);
    this.lost = setTimeout(() => {
      this.settle();
      this.warn(this.words.no_answer);
    }, LOST_MS);
    this.model.send(message);
    return true;
  }

  settle() {
    this.waiting = false;
    clearTimeout(this.slow);
    clearTimeout(this.lost);
    this.root.classList.remove("slow");
  }

  warn(text) {
    this.alert.textContent = text;
    this.alert.hidden = !text;
  }

  // What the notebook says.

  tell(state) {
    const hadKeys = this.root.contains(document.activeElement);
    this.settle();
    this.state = state;
    this.warn(state.error);
    this.bar.max = Math.max(state.total, 1);
    this.bar.value = state.done;
    this.count.textContent = state.progress;
    this.pace.textContent = state.pace;
    this.root.dataset.done = state.done;
    const inPages = Boolean(state.page);
    this.root.classList.toggle("in-pages", inPages);
    this.gridButton.lastChild.textContent = inPages ? this.words.single : this.words.grid;
    this.stage.node.hidden = inPages;
    this.grid.hidden = !inPages;
    this.confirmButton.hidden = this.pageText.hidden = !inPages;
    this.card.hidden = inPages || state.n == null;
    this.pageText.textContent = state.plain ? this.words.page_plain : this.words.page_text;
    if (state.n == null) this.finish();
    else if (inPages) this.showPage(hadKeys);
    else this.showImage();
    // What had the focus may be gone; the next key would be Jupyter's.
    const { activeElement } = document;
    const gone = !this.root.contains(activeElement) || activeElement.closest("[hidden]");
    if (hadKeys && gone) this.root.focus({ preventScroll: true });
    this.showHistory();
    this.want();
    const name = state.image && !inPages ? ` ${state.image.name}` : "";
    this.live.textContent = state.error ? "" : `${state.said}${name}`;
  }

  needed() {
    const { state } = this;
    if (!state) return [];
    const wanted = [];
    if (state.page) wanted.push(...state.page.map((cell) => [cell.n, "small"]));
    else if (state.n != null) {
      wanted.push([state.n, "screen"]);
      if (this.stage.zoom > 1 && this.root.dataset.shown === String(state.n)) wanted.push([state.n, "full"]);
    }
    wanted.push(...state.ahead.map((n) => [n, state.page ? "small" : "screen"]));
    wanted.push(...state.history.map((step) => [step.n, "small"]));
    return wanted;
  }

  want() {
    // Asked for once, whatever has come of it meanwhile: what is in work would be made again.
    const needed = this.needed();
    const text = JSON.stringify(needed);
    if (text === this.wanted) return;
    this.wanted = text;
    const images = needed.filter(([n, size]) => !this.pictures.get(n, size));
    this.model.send({ kind: "want", images });
  }

  receive(message, buffers) {
    const picture = { ...message };
    if (!message.failed) picture.url = URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" }));
    const needed = new Set(this.needed().map(([n, size]) => `${size}/${n}`));
    this.pictures.put(message.n, message.size, picture, needed);
    if (this.state?.page) this.fillCell(message.n);
    else if (message.n === this.state?.n && message.size !== "small" && !this.root.dataset.heat) this.showImage();
    if (message.size === "small") this.showHistory();
  }

  showCard({ image, can_map }) {
    this.folder.textContent = image.folder;
    this.name.textContent = image.name;
    this.score.textContent = image.score_text;
    this.proposal.textContent = image.proposal;
    this.why.textContent = image.why;
    this.meter.hidden = image.score == null;
    this.mark.style.left = `${100 * (image.score ?? 0)}%`;
    this.limit.style.left = `${100 * this.state.threshold}%`;
    this.heatButton.hidden = !can_map;
    this.heatButton.lastChild.textContent = this.words.heat;
  }

  async showImage() {
    const { n, image } = this.state;
    if (this.root.dataset.current !== String(n)) this.forgetHeat();
    this.root.dataset.current = n;
    delete this.root.dataset.heat;
    if (this.asksHeat !== n) this.heatNote.textContent = "";
    this.showCard(this.state);
    const screen = this.pictures.get(n, "screen");
    const full = this.pictures.get(n, "full");
    const picture = full?.url && this.stage.zoom > 1 ? full : screen;
    if (!picture) {
      delete this.root.dataset.shown;
      this.stage.empty(this.words.loading);
      clearTimeout(this.missed);
      this.missed = setTimeout(() => this.missing(n), LOST_MS);
      return;
    }
    if (picture.failed) {
      delete this.root.dataset.shown;
      this.stage.empty(this.words.cannot_show, picture.failed);
      this.mute(true);
      return;
    }
    // Decoded before it is put in the other's place, so that nothing flickers.
    const ready = new Image();
    ready.src = picture.url;
    await ready.decode().catch(() => {});
    if (this.state.n !== n || this.state.page || this.root.dataset.heat) return;
    const same = this.root.dataset.shown === String(n);
    this.stage.show(picture, image.name, same);
    this.root.dataset.shown = n;
    this.root.dataset.sha256 = picture.sha256;
    this.mute(false);
  }

  /** Ask again for an image that doesn't come, and say that it may be put off. */
  missing(n) {
    if (this.state.n !== n || this.state.page || this.pictures.get(n, "screen")) return;
    this.stage.empty(this.words.loading, this.words.late);
    this.wanted = "";
    this.want();
    this.missed = setTimeout(() => this.missing(n), LOST_MS);
  }

  /** What can't be seen can't be decided. */
  mute(on) {
    for (const button of this.choices.children) button.setAttribute("aria-disabled", String(on));
  }

  finish() {
    for (const name of ["shown", "current", "heat"]) delete this.root.dataset[name];
    this.grid.hidden = true;
    this.stage.node.hidden = false;
    this.confirmButton.hidden = this.pageText.hidden = true;
    const { skipped, put_off } = this.state;
    this.stage.empty(this.words.finished, skipped ? put_off : "");
    if (skipped) {
      const recall = make("button", { type: "button", onclick: () => this.ask({ kind: "recall" }) });
      recall.append(this.words.recall);
      this.stage.note.append(recall);
    }
    this.mute(true);
  }

  // Pages.

  showPage(hadKeys) {
    for (const name of ["shown", "current", "heat"]) delete this.root.dataset[name];
    const cells = this.state.page.map((cell) => {
      const words = make("bdi", { class: "says" });
      const picture = make("span", { class: "picture" });
      const score = make("span", { class: "small-score" }, cell.score == null ? "" : cell.score_text.split("=").pop());
      const foot = make("span", { class: "foot" }, words, score);
      const button = make("button", { type: "button", class: "cell", "data-n": cell.n, title: cell.folder + cell.name });
      button.append(picture, foot);
      button.addEventListener("click", () => {
        this.choose(button);
        this.turnCell(button);
      });
      button.dataset.name = cell.name;
      button.dataset.proposed = cell.proposed;
      this.label(button, cell.label);
      return button;
    });
    this.grid.replaceChildren(...cells);
    for (const cell of this.state.page) this.fillCell(cell.n);
    this.grid.scrollTop = 0;
    this.mute(false);
    if (cells[0]) this.choose(cells[0], hadKeys);
    this.root.dataset.page = this.state.page.map((cell) => cell.n).join(" ");
  }

  fillCell(n) {
    const cell = this.grid.querySelector(`.cell[data-n="${n}"]`);
    const picture = this.pictures.get(n, "small");
    if (cell && picture && !cell.dataset.there) {
      cell.dataset.there = picture.failed ? "failed" : "true";
      const place = cell.querySelector(".picture");
      if (picture.failed) {
        place.append(make("span", { class: "why" }, picture.failed));
        this.label(cell, "");
      } else {
        place.append(make("img", { src: picture.url, alt: "", draggable: "false" }));
        cell.dataset.sha256 = picture.sha256;
      }
    }
    this.confirmButton.setAttribute("aria-disabled", String(!this.pageIsThere()));
  }

  pageIsThere() {
    return !this.grid.querySelector(".cell:not([data-there])");
  }

  chosen() {
    return this.grid.querySelector(".cell[tabindex='0']");
  }

  choose(cell, focus = true) {
    for (const other of this.grid.querySelectorAll(".cell")) other.tabIndex = other === cell ? 0 : -1;
    if (focus) cell.focus();
  }

  turnCell(cell) {
    if (!cell) return;
    const { proposed, label } = cell.dataset;
    const turns = proposed === "" ? ["", "photo", "other"] : [proposed, proposed === "photo" ? "other" : "photo", ""];
    this.label(cell, turns[(turns.indexOf(label) + 1) % turns.length]);
  }

  label(cell, label) {
    if (!cell || (label && cell.dataset.there === "failed")) return;
    this.dress(cell, label);
    cell.querySelector(".says").textContent = this.says(label, true);
    cell.classList.toggle("changed", label !== cell.dataset.proposed);
    cell.setAttribute("aria-label", `${cell.dataset.name}: ${this.says(label)}`);
  }

  // What was done last, and what the model looks at.

  showHistory() {
    const items = this.state?.history ?? [];
    this.strip.replaceChildren(
      ...items
        .slice()
        .reverse()
        .map((step) => {
          const picture = this.pictures.get(step.n, "small");
          const place = make("span", { class: "picture" });
          if (picture?.url) place.append(make("img", { src: picture.url, alt: "" }));
          return make("span", { class: "past" }, place, make("bdi", {}, step.labels));
        }),
    );
  }

  receiveHeat(message, buffers) {
    if (message.n !== this.state?.n) return;
    if (message.failed) {
      this.heatNote.textContent = message.failed;
      return;
    }
    const url = URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" }));
    this.heats.set(message.n, { ...message, url });
    if (this.asksHeat === message.n && !this.state.page) this.showHeat(message.n);
  }

  showHeat(n) {
    const picture = this.heats.get(n);
    this.asksHeat = null;
    this.root.dataset.heat = n;
    const shape = { own_width: picture.width, own_height: picture.height };
    this.stage.show({ ...picture, ...shape }, this.words.heat);
    this.heatButton.lastChild.textContent = this.words.heat_off;
    this.heatNote.textContent = this.words.heat_text;
  }

  forgetHeat() {
    for (const picture of this.heats.values()) URL.revokeObjectURL(picture.url);
    this.heats.clear();
    this.asksHeat = null;
  }
}

export default {
  render({ model, el }) {
    const desk = new Desk(model, el);
    return () => desk.close();
  },
};
