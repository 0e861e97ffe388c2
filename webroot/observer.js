// Asks the browser for a connection's statistics, and hands them to those who judge: what arrives, and what the path carries.
import { PLANS, Uplink, readUplink } from './uplink.js';
import { readArrivals } from './watch.js';

const LOOK_AT_UPLINK_MS = 1000;

const clock = () => performance.now();

export class Observer {
  #watch;
  #uplink = new Uplink();
  #uplinkAt = 0;
  #looking = false;

  /** `watch` judges whether the picture moves. */
  constructor(watch) {
    this.#watch = watch;
  }

  /** A new connection. */
  begin() {
    this.#uplink.begin(clock());
  }

  /** Looks at what is due. The answer comes later, and counts if `isCurrent(peer)` still holds. */
  look(peer, isCurrent) {
    const now = clock();
    if (this.#watch.waits(now)) this.#lookWhatArrives(peer, isCurrent);
    if (peer.media === 'connected' && now - this.#uplinkAt >= LOOK_AT_UPLINK_MS) {
      this.#uplinkAt = now;
      this.#lookWhatIsSent(peer, isCurrent);
    }
  }

  /** One look at a time. */
  #lookWhatArrives(peer, isCurrent) {
    if (this.#looking) return;
    this.#looking = true;
    const done = (report) => {
      this.#looking = false;
      if (report && isCurrent(peer)) this.#watch.arrived(readArrivals(report), clock());
    };
    peer.getStats().then(done, () => done(null));
  }

  /** What the path does not carry is not sent. */
  #lookWhatIsSent(peer, isCurrent) {
    const done = (report) => {
      if (!isCurrent(peer)) return;
      const plan = this.#uplink.step(readUplink(report), clock());
      if (plan) peer.send(PLANS[plan]);
    };
    peer.getStats().then(done, () => {});
  }
}
