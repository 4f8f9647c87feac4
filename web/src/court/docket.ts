/** The list of hearings: which comes next, which group a row belongs to, who is ready. Plain TypeScript and pure. */
import type { DocketItem, DocketParticipant, DocketSitting, Role } from "../protocol";
import { dayKey } from "./court-time";

export type Phase = "coming" | "open" | "closed" | "cancelled";
export const FILTERS = ["all", "coming", "open", "closed"] as const;
export type Filter = (typeof FILTERS)[number];

const PHASE: Record<DocketSitting["state"], Phase> = {
  scheduled: "coming",
  lobby: "coming",
  in_session: "open",
  recess: "open",
  tech_suspended: "open",
  closed: "closed",
  cancelled: "cancelled",
};

const PANEL: readonly Role[] = ["presiding_judge", "judge", "assessor"];
const STAFF: readonly Role[] = [...PANEL, "clerk"];
const PARTIES: readonly Role[] = ["plaintiff", "defendant", "third_party"];
const ISOLATED: readonly Role[] = ["witness", "expert"];

/** The sitting a person would go to: the latest one. */
export function currentSitting(item: DocketItem): DocketSitting | null {
  return [...item.sittings].sort((a, b) => a.ordinal - b.ordinal).at(-1) ?? null;
}

export function phaseOf(item: DocketItem): Phase {
  const sitting = currentSitting(item);
  return sitting ? PHASE[sitting.state] : "coming";
}

export function matches(item: DocketItem, filter: Filter): boolean {
  return filter === "all" || phaseOf(item) === filter;
}

const at = (item: DocketItem) => Date.parse(item.hearing.scheduled_at);

/** What deserves the raised place: a hearing in progress, then one whose waiting area is open, then the nearest. */
export function nextHearing(items: readonly DocketItem[], now: Date): DocketItem | null {
  const rank = (item: DocketItem) => {
    if (phaseOf(item) === "open") return 0;
    return currentSitting(item)?.state === "lobby" ? 1 : 2;
  };
  const today = dayKey(now);
  const candidates = items.filter((item) => phaseOf(item) === "open" || (phaseOf(item) === "coming" && dayKey(item.hearing.scheduled_at) >= today));
  const mine = candidates.filter((item) => item.my_participant_id !== null);
  const pool = mine.length > 0 ? mine : candidates;
  return [...pool].sort((a, b) => rank(a) - rank(b) || at(a) - at(b))[0] ?? null;
}

export type Group = "earlier" | "restToday" | "later" | "closedGroup";
export const GROUPS: readonly Group[] = ["restToday", "later", "earlier", "closedGroup"];

/** The list below the raised hearing, grouped by day and state; within a group by time, closed ones newest first. */
export function grouped(items: readonly DocketItem[], now: Date): Map<Group, DocketItem[]> {
  const groups = new Map<Group, DocketItem[]>();
  for (const item of [...items].sort((a, b) => at(a) - at(b))) {
    const group = groupOf(item, dayKey(now));
    groups.set(group, [...(groups.get(group) ?? []), item]);
  }
  groups.get("closedGroup")?.reverse();
  return groups;
}

function groupOf(item: DocketItem, today: string): Group {
  const phase = phaseOf(item);
  if (phase === "closed" || phase === "cancelled") return "closedGroup";
  const day = dayKey(item.hearing.scheduled_at);
  if (phase === "open" || day === today) return "restToday";
  return day < today ? "earlier" : "later";
}

export type Readiness = DocketParticipant["status"] | "isolated" | "staff" | "no_link" | "link_dead";

/** How a person's state is told: witnesses wait apart, staff have no link to open. */
export function readiness(person: DocketParticipant): Readiness {
  if (ISOLATED.includes(person.role) && person.status === "waiting") return "isolated";
  if (person.link_state === "none" && person.status === "not_opened") return STAFF.includes(person.role) ? "staff" : "no_link";
  if (deadLink(person)) return "link_dead";
  return person.status;
}

/** Somebody the clerk has to help before the hearing can begin. */
export function needsWork(item: DocketItem): boolean {
  if (phaseOf(item) !== "coming") return false;
  return item.participants.some((person) => person.status === "test_failed" || deadLink(person));
}

/** A link that nobody can enter with any more, of a person who is not in yet. */
function deadLink(person: DocketParticipant): boolean {
  const dead = person.link_state === "expired" || person.link_state === "revoked";
  return dead && person.status !== "present" && person.status !== "waiting";
}

export interface Roll {
  panel: boolean;
  clerk: boolean;
  parties_missing: number;
}

const here = (person: DocketParticipant) => person.status === "present" || person.status === "waiting";

/** Who is here. A party counts as here when an agent of that side is (CPL-58: an agent may appear for the party). */
export function rollCall(item: DocketItem): Roll {
  const of = (roles: readonly Role[]) => item.participants.filter((person) => roles.includes(person.role));
  const agents = of(["agent"]).filter(here);
  const missing = of(PARTIES).filter((party) => !here(party) && !agents.some((agent) => agent.label === `${party.label}代`));
  return { panel: of(PANEL).every(here), clerk: of(["clerk"]).every(here), parties_missing: missing.length };
}

/** One judge alone, or a panel. */
export const heardByPanel = (item: DocketItem) => item.participants.filter((person) => PANEL.includes(person.role)).length > 1;
