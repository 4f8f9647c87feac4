/** What a refused personal link means for the person who holds it. Plain TypeScript and pure. */

export type LinkRefusal = "used" | "expired" | "revoked" | "unknown" | "throttled" | "offline";

/** The server's stable code says why; the words for the person stand in the locale file. */
export function linkRefusal(code: string): LinkRefusal {
  if (code.includes("throttl") || code.includes("too_many")) return "throttled";
  if (code.includes("used")) return "used";
  if (code.includes("expired")) return "expired";
  if (code.includes("revoked")) return "revoked";
  return code === "network" || code === "offline" ? "offline" : "unknown";
}
