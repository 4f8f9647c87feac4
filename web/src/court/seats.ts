/** Which side of the room a seat belongs to; only for looks and grouping, never for permission. */
import type { ParticipantView, Role } from "@/protocol";

export type Side = "bench" | "plaintiff" | "defendant" | "other";

const SIDE_OF_ROLE: Record<Role, Side | null> = {
  presiding_judge: "bench",
  judge: "bench",
  assessor: "bench",
  clerk: "bench",
  plaintiff: "plaintiff",
  defendant: "defendant",
  third_party: "other",
  agent: null,
  witness: "other",
  expert: "other",
  interpreter: "other",
  observer: "other",
};

/** An agent sits with the party represented. */
export function sideOf(person: ParticipantView, everybody: readonly ParticipantView[]): Side {
  const own = SIDE_OF_ROLE[person.role];
  if (own) return own;
  const party = everybody.find((p) => p.id === person.represents);
  return (party && SIDE_OF_ROLE[party.role]) ?? "other";
}

/** Colour class of a seat label, from the label's first character as the server wrote it. */
export function seatClass(label: string, role: Role | null = null): string {
  if (role === "clerk" || label.startsWith("书")) return "seat-clerk";
  if (label.startsWith("审") || label.startsWith("陪")) return "seat-bench";
  if (label.startsWith("原")) return "seat-p";
  if (label.startsWith("被")) return "seat-d";
  return "";
}
