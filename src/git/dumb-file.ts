/**
 * The files that a client of the dumb protocol needs (gitprotocol-http, "Dumb Clients"; gitrepository-layout). `objects/info/alternates` and
 * `http-alternates` are not among them: they name other places to fetch from, around the gateway.
 */
const FILES =
  /^(?:HEAD|info\/refs|objects\/info\/packs|objects\/pack\/pack-(?:[0-9a-f]{40}|[0-9a-f]{64})\.(?:pack|idx)|objects\/[0-9a-f]{2}\/(?:[0-9a-f]{38}|[0-9a-f]{62}))$/;

/** @param file below the repository: `objects/info/packs` */
export const isDumbFile = (file: string): boolean => FILES.test(file);
