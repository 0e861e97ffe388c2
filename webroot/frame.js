// How home's picture sits on the screen, and where the viewer's own small one does.

// A screen of another shape than the picture's may cut this much of it away to be filled; beyond it stays whole.
const MOST_CUT = 1.34;
const UPRIGHT_ZOOM = 1.25;
const GLOW_MS = 500;
const MARGIN = 14;

/** Fits `video` into the window: filled if little is lost, else framed by a glow of its own colors. */
export class Framing {
  #video;
  #glow;
  #paint;
  #filled = false;
  #timer = 0;

  constructor(video, glow) {
    this.#video = video;
    this.#glow = glow;
    this.#paint = glow.getContext('2d', { alpha: false });
    addEventListener('resize', () => this.fit());
    video.addEventListener('resize', () => this.fit());
    let lastTap = 0;
    video.addEventListener('click', (event) => {
      if (event.timeStamp - lastTap < 350) this.toggle();
      lastTap = event.timeStamp;
    });
  }

  /** Between the whole picture and a filled screen; for a double tap. */
  toggle() {
    this.#filled = !this.#filled;
    this.fit();
  }

  fit() {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || !videoHeight) return;
    const wide = innerWidth / videoWidth;
    const tall = innerHeight / videoHeight;
    const whole = Math.min(wide, tall);
    const full = Math.max(wide, tall) / whole;
    const near = full <= MOST_CUT;
    const zoom = near !== this.#filled ? full : near ? 1 : Math.min(full, UPRIGHT_ZOOM);
    this.#video.style.transform = zoom > 1.001 ? `scale(${zoom})` : '';
    const framed = zoom < full - 0.02;
    document.body.classList.toggle('framed', framed);
    clearInterval(this.#timer);
    if (framed) this.#timer = setInterval(() => this.#shine(), GLOW_MS);
    if (framed) this.#shine();
  }

  #shine() {
    if (document.visibilityState !== 'visible' || this.#video.readyState < 2) return;
    this.#paint.drawImage(this.#video, 0, 0, this.#glow.width, this.#glow.height);
  }
}

/** The self-view: follows the finger, rests in the nearest corner, can be put away. */
export class SelfView {
  #box;
  #video;
  #corner = { right: true, bottom: true };
  #hidden = false;
  #track = null;
  #grip = null;
  #on;

  constructor(box, video, on) {
    this.#box = box;
    this.#video = video;
    this.#on = on;
    box.addEventListener('pointerdown', (event) => this.#hold(event));
    box.addEventListener('pointermove', (event) => this.#move(event));
    for (const type of ['pointerup', 'pointercancel']) box.addEventListener(type, () => this.#drop());
    box.addEventListener('keydown', (event) => this.#step(event));
    video.addEventListener('resize', () => this.#shape());
    addEventListener('resize', () => this.#rest());
    const foot = document.getElementById('foot');
    if (globalThis.ResizeObserver) new ResizeObserver(() => this.#rest()).observe(foot);
  }

  get hidden() {
    return this.#hidden;
  }

  /** Shows `track` (or nothing, if null), as a mirror or not. */
  show(track, mirrored) {
    this.#video.classList.toggle('mirror', mirrored);
    if (track !== this.#track) {
      this.#track = track;
      this.#video.srcObject = track ? new MediaStream([track]) : null;
      if (track) this.#video.play().catch(() => {});
    }
    this.#box.hidden = !track || this.#hidden;
    this.#rest();
  }

  /** Puts it away or takes it out again. */
  toggle(hidden = !this.#hidden) {
    this.#hidden = hidden;
    this.#box.hidden = !this.#track || hidden;
    this.#rest();
    this.#on.changed();
  }

  #shape() {
    this.#box.classList.toggle('wide', this.#video.videoWidth > this.#video.videoHeight);
    this.#rest();
  }

  #hold(event) {
    if (event.target.closest('button')) return;
    const { left, top } = this.#box.getBoundingClientRect();
    this.#grip = { x: event.clientX - left, y: event.clientY - top };
    this.#box.setPointerCapture(event.pointerId);
    this.#box.classList.add('held');
  }

  #move(event) {
    if (!this.#grip) return;
    this.#place(event.clientX - this.#grip.x, event.clientY - this.#grip.y);
  }

  #drop() {
    if (!this.#grip) return;
    this.#grip = null;
    this.#box.classList.remove('held');
    const { left, top, width, height } = this.#box.getBoundingClientRect();
    this.#corner = { right: left + width / 2 > innerWidth / 2, bottom: top + height / 2 > innerHeight / 2 };
    this.#rest();
  }

  #step(event) {
    const { right, bottom } = this.#corner;
    const next = {
      ArrowLeft: { right: false, bottom },
      ArrowRight: { right: true, bottom },
      ArrowUp: { right, bottom: false },
      ArrowDown: { right, bottom: true },
    }[event.key];
    if (!next) return;
    event.preventDefault();
    this.#corner = next;
    this.#rest();
  }

  /** In its corner, clear of the controls. */
  #rest() {
    if (this.#box.hidden || this.#grip) return;
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    const upper = document.getElementById('place').getBoundingClientRect();
    const dock = document.getElementById('dock').getBoundingClientRect();
    const sideways = dock.height > dock.width;
    const right = sideways && dock.width ? dock.left - MARGIN : innerWidth - MARGIN;
    const bottom = !sideways && dock.height ? dock.top - MARGIN : innerHeight - MARGIN;
    const x = this.#corner.right ? right - width : Math.max(MARGIN, upper.left);
    const y = this.#corner.bottom ? bottom - height : (upper.bottom || MARGIN) + MARGIN;
    this.#place(x, y);
  }

  #place(x, y) {
    this.#box.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
}
