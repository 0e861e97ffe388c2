// The viewer's own microphone and camera: asked for, turned on and off, switched, and found again when they vanish.
import { kept } from './first.js';

const CHOICE = 'intercom.send';
const KINDS = {
  mic: {
    track: 'audio',
    permission: 'microphone',
    device: 'audioinput',
    constraints: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  },
  cam: {
    track: 'video',
    permission: 'camera',
    device: 'videoinput',
    constraints: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, facingMode: 'user' },
  },
};

/**
 * Owns both tracks. `on.track(kind, track | null)` with 'audio' or 'video' says what to send, `on.changed()` that `mic`,
 * `cam` or `cameras` changed, `on.note(name)` something for the person, and `on.blocked(devices, bySystem)` a refusal.
 * The state of each device is 'off', 'asking', 'on', 'paused' (by the device itself), 'blocked', 'missing' or 'busy'.
 */
export class Media {
  #on;
  #tracks = { mic: null, cam: null };
  #states = { mic: 'off', cam: 'off' };
  // What the person wants, which outlives a device that comes and goes.
  #wanted = { mic: false, cam: false };
  // Whether home can see a camera; and whether one went out only because home cannot.
  #seen = true;
  #shelved = false;
  #line = Promise.resolve();
  #facing = 'user';
  #camera = null;
  #cameras = 0;
  #known = new Set();
  #pending = 0;

  constructor(on) {
    this.#on = on;
    navigator.mediaDevices?.addEventListener?.('devicechange', () => {
      clearTimeout(this.#pending);
      this.#pending = setTimeout(() => this.#devicesChanged(), 400);
    });
  }

  get mic() {
    return this.#states.mic;
  }
  get cam() {
    return this.#states.cam;
  }
  /** How many cameras there are, as far as the browser tells. */
  get cameras() {
    return this.#cameras;
  }
  /** Whether the device ('mic', 'cam') is in use or about to be. */
  uses(kind) {
    return ['on', 'paused', 'asking'].includes(this.#states[kind]);
  }
  /** The track to be seen in the self-view, or null. */
  get picture() {
    return this.#states.cam === 'on' || this.#states.cam === 'paused' ? this.#tracks.cam : null;
  }
  /** Whether the self-view is to be a mirror: yes for a camera that looks at its owner. */
  get mirrored() {
    return this.#facing !== 'environment';
  }
  /** What was chosen before: `{ watch, cam }`, or null if never. `cam` is null where nobody could have seen it. */
  get choice() {
    try {
      const { watch, cam } = JSON.parse(kept.get(CHOICE));
      return { watch: Boolean(watch), cam: cam === null ? null : Boolean(cam) };
    } catch {
      return null;
    }
  }

  /** What the browser gives without a question: `{ mic, cam }`; both false if it will not say. */
  async allowed() {
    const [mic, cam] = await Promise.all(['mic', 'cam'].map((kind) => query(KINDS[kind].permission)));
    return { mic: mic?.state === 'granted', cam: cam?.state === 'granted' };
  }

  /** What the browser does where the camera is asked for: 'granted', 'denied' or 'prompt', also if it will not say. */
  async cameraPermission() {
    return (await query(KINDS.cam.permission))?.state ?? 'prompt';
  }

  /** Remembers "just watch". */
  justWatch() {
    this.#remember({ watch: true, cam: this.#seen ? false : (this.choice?.cam ?? null) });
  }

  /** Whether home can see a camera. While it cannot, none burns. As nobody chose that, it comes on again afterwards. */
  setSeen(seen) {
    this.#seen = seen;
    if (!seen && this.#wanted.cam) this.#queue(() => this.#shelve());
    if (seen && this.#shelved) this.#queue(() => this.#unshelve());
  }

  /** Turns both on, or those of `{ mic, cam }`. Must follow a tap where the browser asks for one. */
  join({ mic = true, cam = true } = {}) {
    return this.#queue(() => this.#acquire([...(mic ? ['mic'] : []), ...(cam ? ['cam'] : [])], true));
  }

  /** Turns one device ('mic', 'cam') on or off. */
  toggle(kind) {
    if (this.#states[kind] === 'asking') return this.#line;
    return this.#queue(() => {
      const track = this.#tracks[kind];
      if (track && this.#wanted[kind]) return this.#turnOff(kind);
      // A muted microphone keeps its device, so that the first word after it is not lost.
      if (track && kind === 'mic' && track.readyState === 'live') return this.#unmute(track);
      return this.#acquire([kind], true);
    });
  }

  /** The other camera. Phones have several at the back: there it is front or back, elsewhere the next one. */
  switchCamera() {
    return this.#queue(() => this.#switch());
  }

  /** The page is seen again: what was lost or paused meanwhile is fetched again. */
  refresh() {
    for (const kind of ['mic', 'cam']) {
      const track = this.#tracks[kind];
      if (!this.#wanted[kind] || this.#states[kind] === 'asking' || this.#states[kind] === 'blocked') continue;
      if (!track || track.readyState === 'ended') this.#queue(() => this.#recover(kind));
      else if (track.muted) setTimeout(() => this.#wanted[kind] && track.muted && this.#queue(() => this.#recover(kind)), 1500);
    }
  }

  /** Lets go of everything; the choice stays. */
  stop() {
    this.#shelved = false;
    for (const kind of ['mic', 'cam']) {
      this.#wanted[kind] = false;
      this.#drop(kind);
      this.#set(kind, 'off');
    }
  }

  /** One after the other: two questions at once would undo each other. */
  #queue(work) {
    const done = this.#line.then(work).catch((error) => console.warn('intercom: device', error));
    this.#line = done;
    return done;
  }

  #set(kind, state) {
    if (this.#states[kind] === state) return;
    this.#states[kind] = state;
    this.#on.changed();
  }

  #remember(choice) {
    kept.set(CHOICE, JSON.stringify(choice));
  }

  /** A device was turned on. A camera that was not asked for stays as it was chosen before. */
  #rememberOn() {
    const undecided = this.#seen ? false : null;
    this.#remember({ watch: false, cam: this.#wanted.cam || (this.choice?.cam ?? undecided) });
  }

  #shelve() {
    if (this.#seen || !this.#wanted.cam) return;
    this.#wanted.cam = false;
    this.#shelved = true;
    this.#drop('cam');
    this.#set('cam', 'off');
  }

  async #unshelve() {
    if (!this.#seen || !this.#shelved) return;
    await this.#acquire(['cam'], false);
  }

  async #acquire(kinds, byPerson) {
    kinds = kinds.filter((kind) => !(this.#states[kind] === 'on' && this.#wanted[kind] && byPerson));
    if (!kinds.length) return;
    if (kinds.includes('cam')) this.#shelved = false;
    for (const kind of kinds) {
      this.#wanted[kind] = true;
      if (byPerson) this.#set(kind, 'asking');
    }
    if (byPerson) this.#rememberOn();
    const results = await this.#ask(kinds);
    const refused = [];
    let bySystem = false;
    for (const kind of kinds) {
      const { track, error } = results[kind];
      if (track && this.#wanted[kind]) {
        this.#take(kind, track);
        continue;
      }
      track?.stop();
      if (!error) continue;
      console.warn(`intercom: no ${kind}:`, error.name, error.message);
      const state = stateOf(error);
      this.#drop(kind);
      this.#set(kind, state);
      if (state === 'blocked') {
        refused.push(kind);
        bySystem ||= /system/i.test(error.message);
      } else {
        this.#on.note(`${kind}-${byPerson ? state : 'lost'}`);
      }
    }
    if (refused.length && byPerson) {
      this.#on.blocked(refused.length === 2 ? 'both' : KINDS[refused[0]].permission, bySystem);
      this.#listenForPermission(refused);
    }
    await this.#count();
  }

  /** Both in one question if possible; but a missing camera must not cost the microphone. */
  async #ask(kinds) {
    const results = {};
    const get = async (some) => {
      if (!navigator.mediaDevices?.getUserMedia) throw new DOMException('no devices here', 'NotFoundError');
      const constraints = {};
      for (const kind of some) constraints[KINDS[kind].track] = this.#constraints(kind);
      const stream = await navigator.mediaDevices.getUserMedia(constraints);
      for (const kind of some) {
        results[kind] = { track: stream.getTracks().find((track) => track.kind === KINDS[kind].track) ?? null };
      }
    };
    try {
      await get(kinds);
    } catch (error) {
      if (kinds.length > 1 && error.name !== 'SecurityError') {
        for (const kind of kinds) {
          try {
            await get([kind]);
          } catch (own) {
            results[kind] = { error: own };
          }
        }
      } else {
        for (const kind of kinds) results[kind] = { error };
      }
    }
    return results;
  }

  #constraints(kind) {
    const wanted = { ...KINDS[kind].constraints };
    if (kind === 'cam') {
      wanted.facingMode = { ideal: this.#facing };
      if (this.#camera) {
        delete wanted.facingMode;
        wanted.deviceId = { ideal: this.#camera };
      }
    }
    return wanted;
  }

  #take(kind, track) {
    this.#drop(kind, track);
    this.#tracks[kind] = track;
    if (kind === 'cam') {
      track.contentHint = 'motion';
      this.#facing = track.getSettings().facingMode ?? this.#facing;
    }
    track.onended = () => {
      if (this.#tracks[kind] !== track) return;
      this.#drop(kind);
      this.#queue(() => this.#recover(kind));
    };
    track.onmute = () => {
      if (this.#tracks[kind] !== track || !this.#wanted[kind]) return;
      this.#set(kind, 'paused');
      this.#send(kind);
      if (document.visibilityState === 'visible') this.#on.note(`${kind}-paused`);
    };
    track.onunmute = () => {
      if (this.#tracks[kind] !== track || !this.#wanted[kind]) return;
      this.#set(kind, 'on');
      this.#send(kind);
    };
    this.#send(kind);
    this.#set(kind, track.muted ? 'paused' : 'on');
    this.#on.changed();
  }

  #send(kind) {
    this.#on.track(KINDS[kind].track, this.#tracks[kind]);
  }

  /** Lets go of the device; `heir` is a track that takes its place without a gap. */
  #drop(kind, heir = null) {
    const track = this.#tracks[kind];
    if (!track) return;
    track.onended = track.onmute = track.onunmute = null;
    this.#tracks[kind] = null;
    if (!heir) this.#send(kind);
    track.stop();
  }

  #turnOff(kind) {
    this.#wanted[kind] = false;
    if (kind === 'mic') {
      this.#tracks.mic.enabled = false;
      this.#send('mic');
    } else {
      // The camera's light goes out: off is off, and stays off on the next visit.
      this.#drop('cam');
      this.#remember({ watch: false, cam: false });
    }
    this.#set(kind, 'off');
  }

  #unmute(track) {
    this.#wanted.mic = true;
    track.enabled = true;
    this.#send('mic');
    this.#set('mic', track.muted ? 'paused' : 'on');
  }

  /** Fetches a device again that went away by itself. */
  async #recover(kind) {
    if (!this.#wanted[kind]) return;
    await this.#acquire([kind], false);
  }

  async #switch() {
    const old = this.#tracks.cam;
    if (!old || !this.#wanted.cam) return;
    const before = { facing: this.#facing, camera: this.#camera };
    const settings = old.getSettings();
    if (settings.facingMode) {
      this.#facing = settings.facingMode === 'environment' ? 'user' : 'environment';
      this.#camera = null;
    } else {
      const cameras = (await devices('videoinput')).map((device) => device.deviceId);
      this.#camera = cameras[(cameras.indexOf(settings.deviceId) + 1) % cameras.length] ?? null;
    }
    // Many phones open one camera at a time.
    this.#drop('cam');
    await this.#acquire(['cam'], false);
    if (this.#tracks.cam) return;
    this.#facing = before.facing;
    this.#camera = before.camera;
    this.#wanted.cam = true;
    await this.#acquire(['cam'], false);
  }

  async #count() {
    const all = await devices();
    this.#cameras = all.filter((device) => device.kind === 'videoinput').length;
    this.#known = new Set(all.map(identity));
    this.#on.changed();
  }

  /** A headset that is plugged in takes over the microphone; a device that comes back is used again. */
  async #devicesChanged() {
    const before = this.#known;
    await this.#count();
    const arrived = (kind) => [...this.#known].some((id) => id.startsWith(KINDS[kind].device) && !before.has(id));
    for (const kind of ['mic', 'cam']) {
      if (!this.#wanted[kind] || this.#states[kind] === 'asking' || this.#states[kind] === 'blocked') continue;
      const lost = !this.#tracks[kind] || this.#tracks[kind].readyState === 'ended';
      if (lost || (kind === 'mic' && before.size && arrived('mic'))) this.#queue(() => this.#recover(kind));
    }
  }

  /** Allowed in the browser's settings: no need to ask the person for one more tap. */
  async #listenForPermission(kinds) {
    for (const kind of kinds) {
      const status = await query(KINDS[kind].permission);
      if (!status) continue;
      status.onchange = () => {
        if (status.state !== 'granted' || this.#states[kind] !== 'blocked') return;
        status.onchange = null;
        this.#queue(() => this.#acquire([kind], true));
      };
    }
  }
}

function stateOf(error) {
  if (error.name === 'NotAllowedError' || error.name === 'SecurityError') return 'blocked';
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return 'missing';
  return 'busy';
}

const identity = (device) => `${device.kind}/${device.deviceId}/${device.groupId}`;

async function devices(kind) {
  try {
    const all = await navigator.mediaDevices.enumerateDevices();
    return kind ? all.filter((device) => device.kind === kind) : all;
  } catch {
    return [];
  }
}

async function query(name) {
  try {
    return await navigator.permissions.query({ name });
  } catch {
    return null;
  }
}
