/** The form of a new hearing: its checks, its suggestions, and its way to the server. Plain TypeScript and pure. */
import type { NewHearing, NewParticipant, Procedure, Role } from "../protocol";

/** One person on the form. `key` is the form's own name, kept while rows move. */
export interface PersonRow {
  key: string;
  role: Role;
  name: string;
  represents: string | null;
  staff_id: string | null;
}

export interface HearingForm {
  case_number: string;
  cause: string;
  title: string;
  procedure: Procedure;
  public: boolean;
  courtroom: string;
  /** Value of a datetime-local input, in court time. */
  scheduled_local: string;
  people: PersonRow[];
}

/** Why a field is not good; the words stand in the locale file under `newHearing.problem`. */
export type Problem =
  | "required"
  | "case_number_form"
  | "too_long"
  | "time_form"
  | "time_past"
  | "one_presiding"
  | "one_clerk"
  | "simplified_sole"
  | "needs_plaintiff"
  | "needs_defendant"
  | "represents_required"
  | "no_observers"
  | "same_person_twice";

/** Field name → problem. Rows are `people.<key>.<field>`, groups are `group.<name>`. */
export type Problems = Record<string, Problem>;

/** Bounds as the server has them (hearing/scheduling.py). */
const MOST = { cause: 100, title: 200, courtroom: 60 } as const;
const NAME_MAX = 60;
/** （2026）沪0106民初1234号: year, court's short name with its number, kind of case, number (案号规定 法〔2015〕137号). */
const CASE_NUMBER = /^（(?:19|20)\d{2}）[\u4e00-\u9fff]{1,4}\d{0,4}[\u4e00-\u9fff]{1,6}\d{1,6}号(?:之[一二三四五六七八九十]+)?$/u;

export const PARTY_ROLES: readonly Role[] = ["plaintiff", "defendant", "third_party"];
export const OTHER_ROLES: readonly Role[] = ["witness", "expert", "interpreter", "observer"];
export const PANEL_ROLES: readonly Role[] = ["presiding_judge", "judge", "assessor", "clerk"];

let made = 0;

export function newRow(role: Role, represents: string | null = null): PersonRow {
  made += 1;
  return { key: `p${made}`, role, name: "", represents, staff_id: null };
}

export function emptyForm(scheduled_local: string): HearingForm {
  return {
    case_number: "",
    cause: "",
    title: "",
    procedure: "simplified",
    public: true,
    courtroom: "",
    scheduled_local,
    people: [newRow("presiding_judge"), newRow("clerk"), newRow("plaintiff"), newRow("defendant")],
  };
}

/** Case numbers are written with full-width brackets; a typist's half-width ones and spaces are put right. */
export function tidyCaseNumber(text: string): string {
  const tight = text.normalize("NFKC").replace(/\s+/gu, "");
  return tight.replace(/^[([〔【（](\d{4})[)\]〕】）]/u, "（$1）");
}

/** 张伟诉李强民间借贷纠纷; from three persons on only the first is named, with 等. */
export function suggestTitle(form: HearingForm): string {
  const plaintiffs = sideName(form.people, "plaintiff");
  const defendants = sideName(form.people, "defendant");
  if (!plaintiffs || !defendants) return "";
  return `${plaintiffs}诉${defendants}${form.cause.trim()}`;
}

function sideName(people: readonly PersonRow[], role: Role): string {
  const names = people.filter((row) => row.role === role && row.name.trim()).map((row) => row.name.trim());
  return names.length > 2 ? `${names[0] ?? ""}等` : names.join("、");
}

/** Persons an agent can act for. */
export function representable(people: readonly PersonRow[]): PersonRow[] {
  return people.filter((row) => PARTY_ROLES.includes(row.role) && row.name.trim() !== "");
}

/** Everything that is wrong on the form; empty when it can be sent. */
export function problemsOf(form: HearingForm, now: Date): Problems {
  const problems: Problems = {};
  checkMatter(form, now, problems);
  checkPanel(form, problems);
  checkParties(form, problems);
  for (const row of form.people) checkRow(row, form.people, problems);
  return problems;
}

function checkMatter(form: HearingForm, now: Date, problems: Problems): void {
  const number = tidyCaseNumber(form.case_number);
  if (!number) problems.case_number = "required";
  else if (!CASE_NUMBER.test(number)) problems.case_number = "case_number_form";
  for (const field of ["cause", "title", "courtroom"] as const) {
    if (!form[field].trim()) problems[field] = "required";
    else if (form[field].trim().length > MOST[field]) problems[field] = "too_long";
  }
  const at = Date.parse(courtTimeToIso(form.scheduled_local));
  if (Number.isNaN(at)) problems.scheduled_at = "time_form";
  else if (at < now.getTime() - 24 * 3600 * 1000) problems.scheduled_at = "time_past";
}

function checkPanel(form: HearingForm, problems: Problems): void {
  const count = (role: Role) => form.people.filter((row) => row.role === role).length;
  if (count("presiding_judge") !== 1) problems["group.panel"] = "one_presiding";
  else if (count("clerk") !== 1) problems["group.panel"] = "one_clerk";
  // CPL-163/165: simplified procedure and small claims are heard by one judge.
  else if (form.procedure !== "ordinary" && count("judge") + count("assessor") > 0) {
    problems["group.panel"] = "simplified_sole";
  }
}

function checkParties(form: HearingForm, problems: Problems): void {
  if (!form.people.some((row) => row.role === "plaintiff")) problems["group.parties"] = "needs_plaintiff";
  else if (!form.people.some((row) => row.role === "defendant")) problems["group.parties"] = "needs_defendant";
  if (!form.public && form.people.some((row) => row.role === "observer")) problems["group.others"] = "no_observers";
}

function checkRow(row: PersonRow, people: readonly PersonRow[], problems: Problems): void {
  if (PANEL_ROLES.includes(row.role)) {
    if (!row.staff_id) problems[`people.${row.key}.staff_id`] = "required";
    else if (people.some((other) => other !== row && other.staff_id === row.staff_id)) {
      problems[`people.${row.key}.staff_id`] = "same_person_twice";
    }
    return;
  }
  if (!row.name.trim()) problems[`people.${row.key}.name`] = "required";
  else if (row.name.length > NAME_MAX) problems[`people.${row.key}.name`] = "too_long";
  const represented = people.some((other) => other.key === row.represents && PARTY_ROLES.includes(other.role));
  if (row.role === "agent" && !represented) problems[`people.${row.key}.represents`] = "represents_required";
}

/** The court's clock is Beijing time (no summer time), wherever the clerk's computer stands. */
export function courtTimeToIso(local: string): string {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/u.test(local) ? `${local}:00+08:00` : "";
}

/** The body of POST /api/hearings. */
export function toNewHearing(form: HearingForm): NewHearing {
  return {
    case_number: tidyCaseNumber(form.case_number),
    cause: form.cause.trim(),
    title: form.title.trim(),
    procedure: form.procedure,
    public: form.public,
    courtroom: form.courtroom.trim(),
    scheduled_at: courtTimeToIso(form.scheduled_local),
    participants: form.people.map((row): NewParticipant => ({
      key: row.key,
      role: row.role,
      name: row.name.trim(),
      represents: row.role === "agent" ? row.represents : null,
      staff_id: row.staff_id,
    })),
  };
}

/** The form's name of a field the server complained about: `participants.2.name` → `people.<key>.name`. */
export function formField(server_field: string | null | undefined, people: readonly PersonRow[]): string | null {
  if (!server_field) return null;
  const match = /^participants[.[](\w+)\]?(?:\.(\w+))?$/u.exec(server_field);
  if (!match) return server_field;
  const [, which = "", part = "name"] = match;
  const row = people.find((one) => one.key === which) ?? people[Number(which)];
  return row ? `people.${row.key}.${part}` : "participants";
}
