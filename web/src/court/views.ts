/** Which pictures the page shows and how high: what the server is asked to send (`media.view`). Knows nothing of Vue. */
import type { Tile } from "@/protocol";

export type PictureKind = Tile["kind"];

const SETTLED_MS = 200; // a drawer that slides in changes every height ten times
const AGAIN_MS = 3_000;
const ASPECT = 9 / 16; // what cameras send; a picture that covers a wide tile is higher than the tile

/** One picture as the page lays it out: CSS pixels, and whether any of it can be seen. */
export interface Laid {
  participantId: string;
  kind: PictureKind;
  width: number;
  height: number;
  inView: boolean;
}

/**
 * Pure: one entry per picture, as high as its largest showing needs it, in device pixels. A face covers its tile; a screen
 * fits into it. A picture nobody can see now stands there with 0.
 */
export function demands(pictures: readonly Laid[], pixelRatio: number, pageVisible: boolean): Tile[] {
  const tiles = new Map<string, Tile>();
  for (const { participantId, kind, width, height, inView } of pictures) {
    const needed = kind === "video" ? Math.max(height, width * ASPECT) : height;
    const height_px = pageVisible && inView ? Math.round(needed * pixelRatio) : 0;
    const key = `${participantId} ${kind}`;
    tiles.set(key, { participant_id: participantId, kind, height_px: Math.max(height_px, tiles.get(key)?.height_px ?? 0) });
  }
  return [...tiles.values()].sort((a, b) => (a.participant_id + a.kind < b.participant_id + b.kind ? -1 : 1));
}

/** Watches the pictures of a page and asks for them; again after every change, and of every new peer. */
export class Views {
  private readonly pictures = new Map<Element, Laid>();
  private readonly sizes = new ResizeObserver((entries) => entries.forEach((e) => this.laid(e.target, e.contentRect)));
  private readonly sight = new IntersectionObserver((entries) => entries.forEach((e) => this.seen(e.target, e.isIntersecting)));
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = "";

  /** `ask` resolves to false when the wish did not get through; it is then repeated. */
  constructor(private readonly ask: (tiles: Tile[]) => Promise<boolean>) {}

  start(): void {
    document.addEventListener("visibilitychange", this.changed);
    window.addEventListener("resize", this.changed); // also a page dragged to a sharper screen
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.changed);
    window.removeEventListener("resize", this.changed);
    this.sizes.disconnect();
    this.sight.disconnect();
    this.pictures.clear();
    clearTimeout(this.timer);
  }

  /** Returns the function that ends the watch. */
  watch(element: Element, participantId: string, kind: PictureKind): () => void {
    const { width, height } = element.getBoundingClientRect();
    this.pictures.set(element, { participantId, kind, width, height, inView: true });
    this.sizes.observe(element);
    this.sight.observe(element);
    this.changed();
    return () => {
      this.sizes.unobserve(element);
      this.sight.unobserve(element);
      this.pictures.delete(element);
      this.changed();
    };
  }

  /** A new peer knows nothing of this page. */
  opened(): void {
    this.asked = "";
    this.send();
  }

  private laid(element: Element, { width, height }: DOMRectReadOnly): void {
    const picture = this.pictures.get(element);
    if (picture) Object.assign(picture, { width, height });
    this.changed();
  }

  private seen(element: Element, inView: boolean): void {
    const picture = this.pictures.get(element);
    if (picture) picture.inView = inView;
    this.changed();
  }

  private readonly changed = () => {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), SETTLED_MS);
  };

  private send(): void {
    const tiles = demands([...this.pictures.values()], window.devicePixelRatio, document.visibilityState === "visible");
    const wish = JSON.stringify(tiles);
    if (wish === this.asked) return;
    this.asked = wish;
    void this.ask(tiles).then((through) => {
      if (through || this.asked !== wish) return;
      this.asked = "";
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.send(), AGAIN_MS);
    });
  }
}
