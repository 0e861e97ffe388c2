// How home's picture sits on the screen, and where the viewer's own small one does.

// A screen of nearly the picture's shape is filled; a very different one only partly, so that the room stays in sight.
const NEAR = 1.34;
const PARTLY = 1.45;
const GLOW_MS = 500;
const MARGIN = 14;

/** Fits `video` into the window: filled if little is lost, else framed by a glow of its own colors. */
export class Framing {
  #video;
  #glow;
  #paint;
  #filled = false;
  #clear = 0;
  #timer = 0;

  constructor(video, glow) {
    this.#video = video;
    this.#glow = glow;
    this.#paint = glow.getContext('2d', { alpha: false });
    addEventListener('resize', () => this.fit());
    video.addEventListener('resize', () => this.fit());
    let lastTap = -1000;
    video.addEventListener('click', (event) => {
      if (event.timeStamp - lastTap < 350) this.toggle();
      lastTap = event.timeStamp;
    });
  }

  /** Between the usual and the other: the whole picture, or a filled screen. */
  toggle() {
    this.#filled = !this.#filled;
    this.fit();
  }

  /** Something covers this many px at the bottom: a framed picture moves out of its way. */
  keepClear(px) {
    this.#clear = px;
    this.fit();
  }

  fit() {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || !videoHeight) return;
    const { clientWidth, clientHeight } = this.#video;
    const wide = clientWidth / videoWidth;
    const tall = clientHeight / videoHeight;
    const whole = Math.min(wide, tall);
    const full = Math.max(wide, tall) / whole;
    const near = full <= NEAR;
    const zoom = near !== this.#filled ? full : near ? 1 : Math.min(full, PARTLY);
    const framed = zoom < full - 0.02;
    const upright = wide < tall;
    const shift = framed && upright ? this.#shift(clientHeight, videoHeight * whole * zoom) : 0;
    const style = this.#video.style;
    style.transform = zoom > 1.001 || shift ? `translateY(${Math.round(shift)}px) scale(${zoom})` : '';
    style.setProperty('--across', upright ? 'to bottom' : 'to right');
    style.setProperty('--edge', `${upright ? (clientHeight - videoHeight * whole) / 2 : (clientWidth - videoWidth * whole) / 2}px`);
    document.body.classList.toggle('framed', framed);
    clearInterval(this.#timer);
    if (!framed) return;
    this.#timer = setInterval(() => this.#shine(), GLOW_MS);
    this.#shine();
  }

  /** A little above the middle, or in the middle of what is left free. */
  #shift(room, height) {
    const middle = this.#clear ? Math.max(height / 2 + 40, (room - this.#clear) / 2 + 20) : room * 0.46;
    return middle - room / 2;
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
    // A phone that lies has its buttons at the side, and only the slider below.
    const bottom = this.#ceiling(sideways ? '#loudness' : '#tap-sound, #door, .sheet, #loudness, #dock') - MARGIN;
    const x = this.#corner.right ? right - width : Math.max(MARGIN, upper.left);
    const y = this.#corner.bottom ? bottom - height : (upper.bottom || MARGIN) + MARGIN;
    this.#place(x, y);
  }

  /** The upper edge of whatever lies at the bottom now. */
  #ceiling(what) {
    const all = [...document.querySelectorAll(`#foot :is(${what}):not([hidden])`)].map((one) => one.getBoundingClientRect());
    return Math.min(innerHeight, ...all.filter((one) => one.height).map((one) => one.top));
  }

  #place(x, y) {
    this.#box.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
}
