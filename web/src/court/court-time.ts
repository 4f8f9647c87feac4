/**
 * Times as people of the court read them: Beijing time (no summer time) wherever the browser stands, and record time
 * hh:mm:ss from 宣布开庭. Plain TypeScript and pure.
 */
const ZONE = "Asia/Shanghai";
const ZONE_OFFSET_MS = 8 * 3600 * 1000;

/** "2026-11-20" and "09:08" and "09:08:31" of a moment, in court time. */
function courtParts(at: string | Date): { day: string; time: string; second: string } {
  const shifted = new Date(new Date(at).getTime() + ZONE_OFFSET_MS).toISOString();
  return { day: shifted.slice(0, 10), time: shifted.slice(11, 16), second: shifted.slice(11, 19) };
}

/** 2026年11月20日 */
export function longDay(at: string | Date): string {
  return new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, year: "numeric", month: "long", day: "numeric" }).format(new Date(at));
}

/** 星期五 */
export function weekday(at: string | Date): string {
  return new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, weekday: "long" }).format(new Date(at));
}

/** 09:08 */
export const clockTime = (at: string | Date) => courtParts(at).time;

/** 09:08:31 */
export const clockSecond = (at: string | Date) => courtParts(at).second;

/** 2026-11-20: sorts, compares, and goes into date fields. */
export const dayKey = (at: string | Date) => courtParts(at).day;

/** 11-20 */
export const shortDay = (at: string | Date) => courtParts(at).day.slice(5);

/** 2026-11-20T09:08, the value of a datetime-local field in court time. */
export const localField = (at: string | Date) => `${courtParts(at).day}T${courtParts(at).time}`;

/** A moment of the record on the wall clock: 2026-11-20 09:11:58 */
export function wallTime(opened_at: string, t_ms: number): string {
  const { day, second } = courtParts(new Date(new Date(opened_at).getTime() + t_ms));
  return `${day} ${second}`;
}

/** Start of the court's day, as the server wants it. */
export const dayStart = (at: Date) => `${dayKey(at)}T00:00:00+08:00`;

/** Record time hh:mm:ss; before 宣布开庭 with a minus. */
export function recordTime(t_ms: number): string {
  const total_s = Math.floor(Math.abs(t_ms) / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const text = `${two(Math.floor(total_s / 3600))}:${two(Math.floor(total_s / 60) % 60)}:${two(total_s % 60)}`;
  return t_ms < 0 && total_s > 0 ? `-${text}` : text;
}

/** Hours, minutes and seconds of a stretch, to be put into words. */
export function lengthParts(ms: number): { hours: number; minutes: number; seconds: number } {
  const total_s = Math.max(0, Math.round(ms / 1000));
  return { hours: Math.floor(total_s / 3600), minutes: Math.floor(total_s / 60) % 60, seconds: total_s % 60 };
}
