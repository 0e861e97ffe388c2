// What failed attempts to open the socket say: home's computer refuses this page, or its certificate is not trusted.
import { looksRefused, looksUntrusted } from './policy.js';

export class Refusals {
  #quickFailures = 0;
  #since = null;
  #everOpened = false;
  #pageReachable = false;
  #misdirected = false;

  /** Home takes this page for another site's: a proxy on the way hides the address that the browser asked for. */
  get misdirected() {
    return this.#misdirected;
  }

  /** A new visit: forgets the failures, not that the socket was ever open. */
  restart() {
    this.#quickFailures = 0;
    this.#since = null;
    this.#misdirected = false;
  }

  opened() {
    this.#everOpened = true;
    this.restart();
  }

  /**
   * The socket closed; `quick`: it failed at once. Says whether the certificate is likely not trusted. Judges by a page that was there
   * *before* this failure: home may just have started between the two.
   */
  lost(quick, now) {
    this.#quickFailures = quick ? this.#quickFailures + 1 : 0;
    this.#since = quick ? (this.#since ?? now) : null;
    if (!quick) this.#misdirected = false;
    const seen = { quickFailures: this.#quickFailures, everOpened: this.#everOpened, pageReachable: this.#pageReachable };
    this.#pageReachable = false;
    if (seen.quickFailures >= 2 && !seen.everOpened) this.#lookForPage();
    return looksUntrusted(seen);
  }

  /** Home's computer answers, and refuses this page. */
  refuses(now) {
    return looksRefused({ since: this.#since, online: navigator.onLine }, now);
  }

  #lookForPage() {
    const asked = this.#quickFailures;
    fetch(`/origin?${encodeURIComponent(location.origin)}`, { cache: 'no-store' }).then(
      (response) => {
        this.#pageReachable = response.ok && this.#quickFailures === asked;
        // Unless the socket has opened meanwhile.
        this.#misdirected = response.status === 403 && this.#quickFailures >= asked;
      },
      () => {
        // Nothing answers now, neither home nor a proxy.
        this.#misdirected = false;
      },
    );
  }
}
