/** Browsers built into other apps: they cannot be trusted with a camera, a microphone and a long session (P1). */

export const IN_APP = ["wecom", "wechat", "qq", "dingtalk", "alipay", "weibo", "feishu", "douyin", "baidu", "other"] as const;
export type InApp = (typeof IN_APP)[number];

/** First match wins: WeCom also calls itself MicroMessenger. QQ the app is `QQ/8…`, the QQ browser is not meant. */
const MARKS: readonly (readonly [InApp, RegExp])[] = [
  ["wecom", /wxwork/iu],
  ["wechat", /MicroMessenger/iu],
  ["qq", /(?:^|[\s;])QQ\/\d/u],
  ["dingtalk", /DingTalk/iu],
  ["alipay", /AlipayClient|AliApp\(AP/iu],
  ["weibo", /Weibo/iu],
  ["feishu", /Lark\/|Feishu/iu],
  ["douyin", /aweme|BytedanceWebview|musical_ly/iu],
  ["baidu", /baiduboxapp/iu],
  ["other", /;\s*wv\)|FBAN|FBAV|Instagram|Line\//u],
];

/** The app whose built-in browser this is; null for a browser of its own. */
export function inAppBrowser(user_agent: string): InApp | null {
  return MARKS.find(([, mark]) => mark.test(user_agent))?.[0] ?? null;
}
