/** Who has arrived, by the groups that people of the court speak of. */
import type { DocketParticipant, Role } from "@/protocol";

export type ArrivalGroup = "clerk" | "bench" | "plaintiff" | "defendant" | "third_party" | "witness" | "other";

const GROUP_OF_ROLE: Record<Role, ArrivalGroup | null> = {
  presiding_judge: "bench",
  judge: "bench",
  assessor: "bench",
  clerk: "clerk",
  plaintiff: "plaintiff",
  defendant: "defendant",
  third_party: "third_party",
  agent: null, // sits with the party; the label says which one (原代, 被代, 三代)
  witness: "witness",
  expert: "witness",
  interpreter: "other",
  observer: "other",
};
const ORDER: readonly ArrivalGroup[] = ["clerk", "bench", "plaintiff", "defendant", "third_party", "witness", "other"];

function groupOf(person: DocketParticipant): ArrivalGroup {
  const own = GROUP_OF_ROLE[person.role];
  if (own) return own;
  if (person.label.startsWith("原")) return "plaintiff";
  if (person.label.startsWith("被")) return "defendant";
  return person.label.startsWith("三") ? "third_party" : "other";
}

export function arrivals(people: readonly DocketParticipant[]): { key: ArrivalGroup; all: number; arrived: number }[] {
  return ORDER.flatMap((key) => {
    const members = people.filter((p) => groupOf(p) === key);
    const arrived = members.filter((p) => p.status === "waiting" || p.status === "present").length;
    return members.length ? [{ key, all: members.length, arrived }] : [];
  });
}
