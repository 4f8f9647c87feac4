import { describe, expect, it } from "vitest";

import { courtTimeToIso, emptyForm, formField, newRow, problemsOf, representable, suggestTitle, tidyCaseNumber, toNewHearing, type HearingForm } from "@/court/hearing-form";

const now = new Date("2026-11-20T01:00:00Z");

function goodForm(): HearingForm {
  const form = emptyForm("2026-11-20T14:00");
  Object.assign(form, { case_number: "（2026）沪0106民初1234号", cause: "民间借贷纠纷", title: "张伟诉李强民间借贷纠纷", courtroom: "第三在线法庭" });
  const names: Record<string, string> = { plaintiff: "张伟", defendant: "李强" };
  for (const row of form.people) {
    if (names[row.role]) row.name = names[row.role] ?? "";
    else Object.assign(row, { staff_id: `st-${row.role}`, name: row.role });
  }
  return form;
}

describe("case number", () => {
  it.each([
    ["(2026)沪0106民初1234号", "（2026）沪0106民初1234号"],
    [" 〔2026〕 沪0106 民初 1234 号 ", "（2026）沪0106民初1234号"],
    ["（２０２６）沪0106民初1234号", "（2026）沪0106民初1234号"],
  ])("%s is put right", (typed, tidy) => expect(tidyCaseNumber(typed)).toBe(tidy));
  it.each(["（2026）沪0106民初1234号", "（2026）最高法民终12号之一"])("%s is good", (case_number) => {
    expect(problemsOf({ ...goodForm(), case_number }, now)).toEqual({});
  });
  it.each(["2026沪0106民初1234号", "（2026）沪0106民初号", "（2026）沪0106民初1234"])("%s is not", (case_number) => {
    expect(problemsOf({ ...goodForm(), case_number }, now)).toEqual({ case_number: "case_number_form" });
  });
});

describe("title", () => {
  it("names two persons of a side and shortens more", () => {
    const form = goodForm();
    expect(suggestTitle(form)).toBe("张伟诉李强民间借贷纠纷");
    form.people.push({ ...newRow("plaintiff"), name: "王丽" });
    expect(suggestTitle(form)).toBe("张伟、王丽诉李强民间借贷纠纷");
    form.people.push({ ...newRow("plaintiff"), name: "赵敏" });
    expect(suggestTitle(form)).toBe("张伟等诉李强民间借贷纠纷");
  });
  it("waits until both sides are known", () => expect(suggestTitle(emptyForm("2026-11-20T14:00"))).toBe(""));
});

describe("checks", () => {
  it("find nothing on a good form", () => expect(problemsOf(goodForm(), now)).toEqual({}));
  it("name every empty field of a new one", () => {
    const found = problemsOf(emptyForm("2026-11-20T14:00"), now);
    expect(found).toMatchObject({ case_number: "required", cause: "required", title: "required", courtroom: "required" });
    expect(Object.keys(found).filter((field) => field.startsWith("people."))).toHaveLength(4);
  });
  it("want a named party behind every agent", () => {
    const form = goodForm();
    const agent = { ...newRow("agent"), name: "孙晓梅" };
    form.people.push(agent);
    expect(problemsOf(form, now)).toEqual({ [`people.${agent.key}.represents`]: "represents_required" });
    agent.represents = representable(form.people)[0]?.key ?? null;
    expect(problemsOf(form, now)).toEqual({});
  });
  it("seat nobody twice", () => {
    const form = { ...goodForm(), procedure: "ordinary" as const };
    const assessor = { ...newRow("assessor"), staff_id: "st-clerk", name: "x" };
    form.people.push(assessor);
    expect(Object.values(problemsOf(form, now))).toEqual(["same_person_twice", "same_person_twice"]);
  });
  it("keep a simplified procedure to one judge", () => {
    const form = goodForm();
    form.people.push({ ...newRow("assessor"), staff_id: "st-9", name: "x" });
    expect(problemsOf(form, now)).toEqual({ "group.panel": "simplified_sole" });
  });
  it("let nobody watch a hearing that is not public", () => {
    const form = { ...goodForm(), public: false };
    form.people.push({ ...newRow("observer"), name: "旁听" });
    expect(problemsOf(form, now)).toEqual({ "group.others": "no_observers" });
  });
  it("refuse a day that is over", () => {
    expect(problemsOf({ ...goodForm(), scheduled_local: "2026-11-18T09:00" }, now)).toEqual({ scheduled_at: "time_past" });
    expect(problemsOf({ ...goodForm(), scheduled_local: "" }, now)).toEqual({ scheduled_at: "time_form" });
  });
});

describe("the way to the server", () => {
  it("says court time with its offset and leaves out what a role has not", () => {
    const form = goodForm();
    const body = toNewHearing(form);
    expect(courtTimeToIso("2026-11-20T14:00")).toBe("2026-11-20T14:00:00+08:00");
    expect(body.scheduled_at).toBe("2026-11-20T14:00:00+08:00");
    expect(body.participants.find((one) => one.role === "plaintiff")).toMatchObject({ name: "张伟", represents: null, staff_id: null });
  });
  it("leads a refusal back to its row", () => {
    const { people } = goodForm();
    expect(formField("case_number", people)).toBe("case_number");
    expect(formField("participants.2.name", people)).toBe(`people.${people[2]?.key}.name`);
    expect(formField("participants.1.staff_id", people)).toBe(`people.${people[1]?.key}.staff_id`);
    expect(formField("participants", people)).toBe("participants");
    expect(formField(null, people)).toBeNull();
  });
});
