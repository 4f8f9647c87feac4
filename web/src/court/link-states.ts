/** What a refused personal link means for the person who holds it. Plain TypeScript and pure. */

export type LinkRefusal = "used" | "expired" | "revoked" | "unknown" | "throttled" | "offline" | "failed";

const MEANING: Record<string, LinkRefusal> = {
  link_used: "used",
  link_expired: "expired",
  link_revoked: "revoked",
  link_unknown: "unknown",
  not_found: "unknown",
  bad_field: "unknown",
  offline: "offline",
};

/** The server's stable code says why; anything else is a failure of ours and leaves the link as it was. */
export function linkRefusal(code: string, status: number): LinkRefusal {
  return MEANING[code] ?? (status === 429 ? "throttled" : "failed");
}

/** Pressing 进入 again makes sense only where the link may still be good. */
export const mayRetry = (why: LinkRefusal) => why === "offline" || why === "throttled" || why === "failed";
