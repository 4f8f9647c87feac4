import { describe, expect, it } from "vitest";

import { afterChange, isHandheld, obstacleIn, problemOf, type Surroundings } from "@/court/devices";
import { HEARD_AT_STEP, METER_STEPS, meterStep, SilenceWatch } from "@/court/levels";
import { zhCN } from "@/locales/zh-CN";

const CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";
const here = (extra: Partial<Surroundings> = {}): Surroundings => ({ userAgent: CHROME, secure: true, hasMediaDevices: true, hasPeerConnection: true, ...extra });

describe("obstacleIn", () => {
  it("sees nothing in the way in a real browser on a secure page", () => {
    expect(obstacleIn(here())).toBeNull();
    expect(obstacleIn(here({ userAgent: CHROME.replace("Safari/537.36", "Safari/537.36 MQQBrowser/15.5") }))).toBeNull();
  });

  it.each([
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.50 NetType/WIFI"],
    ["Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36 QQ/9.0.55 NetType/WIFI"],
    ["Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 DingTalk/7.6.0"],
  ])("asks for another browser in %s, also when devices seem to work", (userAgent) => {
    expect(obstacleIn(here({ userAgent }))).toBe("in_app_browser");
  });

  it("tells an insecure address from an old browser: both lack mediaDevices", () => {
    expect(obstacleIn(here({ secure: false, hasMediaDevices: false }))).toBe("insecure_context");
    expect(obstacleIn(here({ hasMediaDevices: false }))).toBe("unsupported");
    expect(obstacleIn(here({ hasPeerConnection: false }))).toBe("unsupported");
  });
});

describe("problemOf", () => {
  it.each([
    ["NotAllowedError", "denied"],
    ["NotFoundError", "none"],
    ["NotReadableError", "busy"],
    ["OverconstrainedError", "gone"],
    ["TypeError", "failed"],
  ] as const)("turns %s into advice for %s, in words for both devices", (name, problem) => {
    expect(problemOf(new DOMException("", name))).toBe(problem);
    for (const kind of ["audio", "video"] as const) expect(zhCN.devices.problem[kind][problem].length).toBeGreaterThan(10);
  });
});

describe("meterStep", () => {
  const tone = (amplitude: number) => Float32Array.from({ length: 1024 }, (_, i) => amplitude * Math.sin(i / 5));

  it("is empty in silence, full near the top, and grows between", () => {
    expect(meterStep(new Float32Array(1024))).toBe(0);
    expect(meterStep(tone(0.9))).toBe(METER_STEPS);
    const steps = [0.002, 0.01, 0.05, 0.2].map((a) => meterStep(tone(a)));
    expect([...steps].sort((a, b) => a - b)).toEqual(steps);
    expect(new Set(steps).size).toBe(steps.length);
  });
});

describe("afterChange", () => {
  it.each([
    ["keep", "in use and still there", "a", "a", ["a", "b"]],
    ["keep", "the default in use, another one comes", "a", "", ["a", "b"]],
    ["open", "the chosen one is back", "b", "a", ["a", "b"]],
    ["keep", "the chosen one is still away", "b", "a", ["b"]],
    ["open", "the one in use is gone", "b", "", ["a"]],
    ["open", "there was none, now there is one", "", "", ["a"]],
    ["keep", "there is none at all", "", "a", []],
    ["keep", "the last one is gone: its end is told by the track", "a", "a", []],
  ] as const)("%s: %s", (does, _, now, chosen, there) => {
    expect(afterChange(now, chosen, there)).toBe(does);
  });
});

describe("isHandheld", () => {
  it.each([
    [true, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15", 5],
    [true, "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/150.0 Mobile Safari/537.36", 5],
    [true, "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Chrome/132.0 Mobile", 5],
    [true, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15", 5],
    [false, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15", 0],
    [false, CHROME, 10],
  ])("%s for %s", (handheld, userAgent, touchPoints) => {
    expect(isHandheld(userAgent, touchPoints)).toBe(handheld);
  });
});

describe("SilenceWatch", () => {
  const quiet = HEARD_AT_STEP - 1;

  it("warns when nothing was heard for the whole time, and takes it back at the first sound", () => {
    const watch = new SilenceWatch(10_000);
    expect([0, 5_000, 9_900].map((at) => watch.step(quiet, at))).toEqual([false, false, false]);
    expect(watch.step(quiet, 10_000)).toBe(true);
    expect(watch.step(HEARD_AT_STEP, 10_100)).toBe(false);
    expect(watch.step(0, 20_000)).toBe(false);
    expect(watch.step(0, 30_000)).toBe(true);
  });

  it("is content with one word in ten seconds", () => {
    const watch = new SilenceWatch(10_000);
    for (let at = 0; at < 60_000; at += 100) expect(watch.step(at % 9_000 === 0 ? METER_STEPS : 0, at)).toBe(false);
  });
});
