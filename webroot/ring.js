// How home's call sounds here: two calm notes, twice, and a pause. The browser makes them itself.

const PERIOD_S = 3.2;
// When each note begins, and its frequency.
const NOTES = [[0, 587.33], [0.36, 880], [0.95, 587.33], [1.31, 880]];
// How strong the partials of a note are: enough of them for the small speaker of a phone.
const PARTIALS = [1, 0.4, 0.22, 0.1];
const ATTACK_S = 0.012;
const FADES_S = 0.38;
const LOUDEST = 0.7;

/** One period of the ring as samples between -1 and 1. What comes after it is the same again. */
export function ringSamples(rate) {
  const samples = new Float32Array(Math.round(PERIOD_S * rate));
  for (const [start, frequency] of NOTES) {
    for (let at = Math.round(start * rate); at < samples.length; at += 1) {
      const t = at / rate - start;
      const strength = Math.min(1, t / ATTACK_S) * Math.exp(-t / FADES_S);
      for (const [n, partial] of PARTIALS.entries()) samples[at] += strength * partial * Math.sin(2 * Math.PI * frequency * (n + 1) * t);
    }
  }
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  return samples.map((sample) => (sample / peak) * LOUDEST);
}

/** The same for the hand, in ms: on, off, and so on. */
export function shakes(left_ms) {
  const period = [350, 250, 350, 2250];
  return Array(Math.min(Math.ceil(left_ms / 3200), 30)).fill(period).flat();
}

function shake(pattern) {
  const { userActivation, vibrate } = globalThis.navigator ?? {};
  // Without a tap before it browsers refuse this, and complain.
  if (vibrate && userActivation?.hasBeenActive !== false) navigator.vibrate(pattern);
}

/** Rings, as far as this browser lets it before a tap. It never fails: what it cannot do it leaves out. */
export class Ring {
  #context = null;

  /** Rings for `left_ms`. */
  start(left_ms) {
    if (this.#context) return;
    try {
      const context = new AudioContext();
      this.#context = context;
      const buffer = context.createBuffer(1, Math.round(PERIOD_S * context.sampleRate), context.sampleRate);
      buffer.copyToChannel(ringSamples(context.sampleRate), 0);
      const source = context.createBufferSource();
      Object.assign(source, { buffer, loop: true });
      source.connect(context.destination);
      source.start();
      context.resume().catch(() => {});
    } catch (error) {
      console.warn('intercom: the call does not ring here:', error);
    }
    shake(shakes(left_ms));
  }

  /** The person has tapped something: now the browser may let it sound. */
  allow() {
    if (this.#context?.state === 'suspended') this.#context.resume().catch(() => {});
  }

  stop() {
    if (!this.#context) return;
    this.#context.close().catch(() => {});
    this.#context = null;
    shake(0);
  }
}
