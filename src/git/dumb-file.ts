/** The files that a client of the dumb protocol needs (gitprotocol-http, "Dumb Clients"; gitrepository-layout). */
const FILES =
  /^(?:HEAD|info\/refs|objects\/info\/(?:packs|(?:http-)?alternates)|objects\/pack\/pack-(?:[0-9a-f]{40}|[0-9a-f]{64})\.(?:pack|idx)|objects\/[0-9a-f]{2}\/(?:[0-9a-f]{38}|[0-9a-f]{62}))$/;

/** @param file below the repository: `objects/info/packs` */
export const isDumbFile = (file: string): boolean => FILES.test(file);

/** Whether it names other places to fetch from. */
export const isAlternates = (file: string): boolean => /^objects\/info\/(?:http-)?alternates$/.test(file);

/**
 * Whether each line of such a file is an address relative to the repository's own (gitrepository-layout, "objects/info/alternates").
 * A client asks this gateway for those, and it judges them as it judges any other; a whole address would lead around it.
 */
export const staysHere = (alternates: string): boolean =>
  alternates.split("\n").every((line) => line === "" || /^(?:\.\.\/)+[!-9;-[\]-~]+$/.test(line));
