import { describe, expect, it } from "vitest";

import { clockTime, dayKey, lengthParts, localField, recordTime, wallTime } from "@/court/court-time";
import { fileName } from "@/court/download";
import { inAppBrowser } from "@/court/in-app";
import { linkRefusal, mayRetry } from "@/court/link-states";

describe("browsers inside other apps", () => {
  it.each([
    ["wechat", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.44 NetType/WIFI"],
    ["wecom", "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/107 Mobile Safari/537.36 wxwork/4.1.10 MicroMessenger/7.0.1"],
    ["qq", "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/98 MQQBrowser/6.2 TBS/046238 Mobile Safari/537.36 V1_AND_SQ_8.9.28 QQ/8.9.28.10155 NetType/WIFI"],
    ["dingtalk", "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1.15 AliApp(DingTalk/7.0.50) DingTalk/7.0.50"],
    ["alipay", "Mozilla/5.0 (Linux; U; Android 12) AppleWebKit/537.36 UCBrowser/11 AlipayClient/10.3.96 AliApp(AP/10.3.96)"],
    ["other", "Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) AppleWebKit/537.36 Version/4.0 Chrome/119 Mobile Safari/537.36"],
  ])("%s is known", (app, user_agent) => expect(inAppBrowser(user_agent)).toBe(app));
  it.each([
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/109 MQQBrowser/14.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1",
  ])("a browser of its own is not one: %s", (user_agent) => expect(inAppBrowser(user_agent)).toBeNull());
});

describe("a refused link", () => {
  it("says what happened to it", () => {
    expect(linkRefusal("link_used", 410)).toBe("used");
    expect(linkRefusal("link_revoked", 410)).toBe("revoked");
    expect(linkRefusal("sign_in_throttled", 429)).toBe("throttled");
  });
  it("is not called invalid when it was our fault", () => expect(linkRefusal("internal_error", 500)).toBe("failed"));
  it("is offered again only where it may still be good", () => {
    expect(["offline", "failed", "throttled"].every((why) => mayRetry(why as "offline"))).toBe(true);
    expect(mayRetry("expired")).toBe(false);
  });
});

describe("court time", () => {
  it("is Beijing time wherever the browser stands", () => {
    expect(clockTime("2026-11-20T01:02:10Z")).toBe("09:02");
    expect(dayKey("2026-11-20T16:00:00Z")).toBe("2026-11-21");
    expect(localField("2026-11-20T01:02:10Z")).toBe("2026-11-20T09:02");
    expect(wallTime("2026-11-20T01:02:10Z", 588_000)).toBe("2026-11-20 09:11:58");
  });
  it("writes record time with hours, and a minus before 宣布开庭", () => {
    expect(recordTime(588_999)).toBe("00:09:48");
    expect(recordTime(3_600_000)).toBe("01:00:00");
    expect(recordTime(-5000)).toBe("-00:00:05");
    expect(recordTime(-500)).toBe("00:00:00");
  });
  it("takes a stretch apart", () => expect(lengthParts(250_400)).toEqual({ hours: 0, minutes: 4, seconds: 10 }));
});

describe("the name of a download", () => {
  it("is read in both forms", () => {
    expect(fileName("attachment; filename=\"a.zip\"; filename*=UTF-8''%E5%BA%AD%E5%AE%A1.zip")).toBe("庭审.zip");
    expect(fileName('attachment; filename="record.zip"')).toBe("record.zip");
    expect(fileName(null)).toBe("");
  });
});
