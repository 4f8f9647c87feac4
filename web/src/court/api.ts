/** HTTP to our own server: JSON in and out, CSRF header on unsafe methods, refusals as CourtError. */
import type { Me, SelfTest, WireError } from "@/protocol";

/** A refusal (WireError) or a request that did not come through (`code` "offline" or "bad_answer"). */
export class CourtError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly field: string | null = null,
  ) {
    super(message);
    this.name = "CourtError";
  }
}

let csrf = "";

/** The token of GET /api/me, sent back with every unsafe request. */
export function setCsrf(token: string): void {
  csrf = token;
}

export const csrfToken = () => csrf;

type Method = "GET" | "POST" | "PUT" | "DELETE";

function isWireError(value: unknown): value is WireError {
  return typeof value === "object" && value !== null && "code" in value && "message" in value;
}

export async function refusal(response: Response): Promise<CourtError> {
  const body: unknown = await response.json().catch(() => null);
  if (isWireError(body)) return new CourtError(body.code, body.message, response.status, body.field);
  return new CourtError("bad_answer", "", response.status);
}

export async function request<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      body: body === undefined ? null : form ? body : JSON.stringify(body),
    });
  } catch {
    throw new CourtError("offline", "");
  }
  if (!response.ok) throw await refusal(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export const api = {
  get: <T>(path: string) => request<T>("GET", path),
  post: <T>(path: string, body?: unknown) => request<T>("POST", path, body),
  put: <T>(path: string, body?: unknown) => request<T>("PUT", path, body),
  delete: <T = undefined>(path: string) => request<T>("DELETE", path),
};

export async function fetchMe(): Promise<Me> {
  const me = await api.get<Me>("/api/me");
  setCsrf(me.csrf);
  return me;
}

export const signOut = () => api.post<undefined>("/api/sign-out");
export const sendSelfTest = (result: SelfTest) => api.post<undefined>("/api/self-test", result);
export const exhibitPage = (exhibitId: string, page: number) => `/api/exhibits/${encodeURIComponent(exhibitId)}/pages/${page}.png`;
