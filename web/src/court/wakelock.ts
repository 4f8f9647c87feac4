/** Keep the screen on while the courtroom is open; asked for again when the page comes back to the front. */
export class ScreenAwake {
  private sentinel: WakeLockSentinel | null = null;
  private wanted = false;
  private readonly onVisible = () => {
    if (document.visibilityState === "visible") void this.acquire();
  };

  start(): void {
    this.wanted = true;
    document.addEventListener("visibilitychange", this.onVisible);
    void this.acquire();
  }

  stop(): void {
    this.wanted = false;
    document.removeEventListener("visibilitychange", this.onVisible);
    void this.sentinel?.release();
    this.sentinel = null;
  }

  private async acquire(): Promise<void> {
    if (!this.wanted || !("wakeLock" in navigator) || (this.sentinel && !this.sentinel.released)) return;
    try {
      this.sentinel = await navigator.wakeLock.request("screen");
    } catch {
      this.sentinel = null; // refused on low battery: the hearing goes on without it
    }
  }
}
