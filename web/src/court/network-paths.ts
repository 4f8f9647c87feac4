/** The ways media can take to the court: straight, or through a relay by UDP, TCP or TLS (RFC 7065 addresses). */
import type { IceServerView, NetworkResult } from "@/protocol";

export type MediaPath = NonNullable<NetworkResult["path"]>;
export type Family = NonNullable<NetworkResult["family"]>;
export const MEDIA_PATHS: readonly MediaPath[] = ["direct", "relay_udp", "relay_tcp", "relay_tls"];

/** The path an address of a relay belongs to; null for STUN, which only tells addresses. */
export function pathOf(url: string): MediaPath | null {
  if (/^turns:/i.test(url)) return "relay_tls";
  if (!/^turn:/i.test(url)) return null;
  return /[?&]transport=tcp\b/i.test(url) ? "relay_tcp" : "relay_udp";
}

/** Only the relays of one path; for the straight one none. */
export function serversOn(path: MediaPath, servers: readonly IceServerView[]): IceServerView[] {
  return servers.map((server) => ({ ...server, urls: server.urls.filter((url) => pathOf(url) === path) })).filter((server) => server.urls.length > 0);
}

/** How a browser is told about servers; user name and password only where there are some. */
export function rtcServers(servers: readonly IceServerView[]): RTCIceServer[] {
  return servers.map((s) => ({ urls: s.urls, ...(s.username ? { username: s.username, credential: s.credential ?? "" } : {}) }));
}

export function familyOf(address: string | undefined): Family | null {
  if (!address) return null;
  if (address.includes(":")) return "ipv6";
  return /^\d+\.\d+\.\d+\.\d+$/.test(address) ? "ipv4" : null;
}
