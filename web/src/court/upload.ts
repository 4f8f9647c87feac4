/** Upload with progress: fetch cannot report it, XMLHttpRequest can. Refusals come as CourtError, as everywhere. */
import { CourtError, csrfToken } from "./api";

/** Sends a form; `onProgress` gets 0…1. Aborting rejects with the code "aborted". */
export function upload<T>(path: string, form: FormData, onProgress: (part: number) => void, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      const body = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300 && body) resolve(body as T);
      else reject(refusal(request.status, body));
    });
    request.addEventListener("error", () => reject(new CourtError("offline", "")));
    request.addEventListener("abort", () => reject(new CourtError("aborted", "")));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function refusal(status: number, body: Record<string, unknown> | null): CourtError {
  const { code, message, field } = body ?? {};
  if (typeof code !== "string" || typeof message !== "string") return new CourtError("bad_answer", "", status);
  return new CourtError(code, message, status, typeof field === "string" ? field : null);
}
