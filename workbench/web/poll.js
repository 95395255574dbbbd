// Asking again and again: never twice at a time, never while nobody can see the answer, slower after an error.

const AFTER_AN_ERROR = 5;

/** `step` asks and shows; it is called now and `seconds()` after each end. `failed` shows what went wrong. */
export function poll(element, seconds, step, failed) {
  let timer = null;
  let busy = false;
  let again = false;
  let stopped = false;
  let shown = false;

  const seen = () => !document.hidden && element.offsetParent !== null;

  async function turn() {
    clearTimeout(timer);
    shown ||= element.isConnected;
    if (stopped || (shown && !element.isConnected)) return; // its page is gone
    if (busy) {
      again = true;
      return;
    }
    let pause = seen() ? seconds() : 0.5;
    if (seen()) {
      busy = true;
      try {
        await step();
        failed(null);
      } catch (error) {
        failed(error);
        pause = Math.max(pause, AFTER_AN_ERROR);
      }
      busy = false;
    }
    if (again) {
      again = false;
      pause = 0;
    }
    timer = setTimeout(turn, 1000 * pause);
  }

  const wake = () => seen() && turn();
  document.addEventListener("visibilitychange", wake);
  turn();
  return {
    now: turn,
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", wake);
    },
  };
}
