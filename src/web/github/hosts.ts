/**
 * `api.<public host>`: where GitHub's clients look for the API. The `Host` header says only which of two sets of routes answers;
 * nothing is made of it, since whoever asks can write into it what they like.
 */
export function createHostCheck(publicUrl: string): (host: string | undefined) => boolean {
  const api = `api.${new URL(publicUrl).hostname}`;
  return (host) => host !== undefined && host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase() === api;
}
