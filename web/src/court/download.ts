/** Download with progress and with refusals in words, which a plain link cannot give. */
import { CourtError, refusal } from "./api";

/** Pieces are handed to the browser's blob store at this size, which keeps large ones on disk. */
const PIECE_BYTES = 8 * 1024 * 1024;

export interface Download {
  file_name: string;
  content: Blob;
}

/** Fetches a file; `onProgress` gets the bytes so far and, where the server says it, the whole size. */
export async function download(
  path: string,
  onProgress: (bytes: number, total: number | null) => void,
  signal: AbortSignal,
): Promise<Download> {
  const response = await fetch(path, { credentials: "same-origin", signal }).catch((error: unknown) => {
    throw new CourtError(signal.aborted ? "aborted" : "offline", String(error));
  });
  if (!response.ok) throw await refusal(response);
  if (!response.body) throw new CourtError("bad_answer", "", response.status);
  const total = Number(response.headers.get("Content-Length")) || null;
  const content = await collected(response.body, (bytes) => onProgress(bytes, total)).catch((error: unknown) => {
    throw new CourtError(signal.aborted ? "aborted" : "offline", String(error));
  });
  return { file_name: fileName(response.headers.get("Content-Disposition")), content };
}

async function collected(body: ReadableStream<Uint8Array<ArrayBuffer>>, onProgress: (bytes: number) => void): Promise<Blob> {
  const reader = body.getReader();
  const pieces: Blob[] = [];
  let open: Uint8Array<ArrayBuffer>[] = [];
  let open_bytes = 0;
  let bytes = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    open.push(step.value);
    open_bytes += step.value.byteLength;
    bytes += step.value.byteLength;
    onProgress(bytes);
    if (open_bytes >= PIECE_BYTES) {
      pieces.push(new Blob(open));
      open = [];
      open_bytes = 0;
    }
  }
  return new Blob([...pieces, ...open]);
}

/** The server's name of the file (RFC 6266, the `filename*` form first); empty when it gave none. */
export function fileName(disposition: string | null): string {
  const extended = /filename\*=UTF-8''([^;]+)/iu.exec(disposition ?? "")?.[1];
  if (extended) return decodeURIComponent(extended);
  return /filename="?([^";]+)"?/iu.exec(disposition ?? "")?.[1] ?? "";
}

/** Hands a finished download to the person. */
export function save(file: Download, fallback_name: string): void {
  const address = URL.createObjectURL(file.content);
  const link = document.createElement("a");
  link.href = address;
  link.download = file.file_name || fallback_name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
