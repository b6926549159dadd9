/** Masked places, marked where they stand. */
import type { MaskSighting } from "../../store/mask-sightings.ts";
import { encodeMaskToken, splitAtMasks, type MaskToken } from "../../model/mask-token.ts";

/** How widely the secrets of this page were seen, by fingerprint. */
export type Sightings = ReadonlyMap<string, MaskSighting>;

export const NO_SIGHTINGS: Sightings = new Map();

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;

/** "seen again in 2 other sessions and 1 push"; null where it was seen nowhere else. */
export function seenAgain(sighting: MaskSighting | undefined): string | null {
  const others = Math.max(0, (sighting?.sessions ?? 0) - 1);
  const pushes = sighting?.pushes ?? 0;
  if (others === 0 && pushes === 0) return null;
  const places = [
    ...(others > 0 ? [count(others, "other session")] : []),
    ...(pushes > 0 ? [count(pushes, "push", "pushes")] : []),
  ];
  return `seen again in ${places.join(" and ")}`;
}

/** Where everything is that this secret was masked in. */
export const maskSearch = (token: MaskToken): string => `/sessions?q=${encodeURIComponent(encodeMaskToken(token))}`;

const Chip = ({ token, sightings }: { token: MaskToken; sightings: Sightings }) => {
  const sighting = sightings.get(token.fingerprint);
  const again = seenAgain(sighting);
  const others = Math.max(0, (sighting?.sessions ?? 0) - 1) + (sighting?.pushes ?? 0);
  const title = `A secret was masked here: ${token.kind}, fingerprint ${token.fingerprint}${again === null ? "" : `, ${again}`}`;
  return (
    <a class="mask" href={maskSearch(token)} title={title}>
      {token.kind}
      <span class="print">{token.fingerprint}</span>
      {others > 0 && (
        <span class="again">
          <span aria-hidden="true">+{others}</span>
          <span class="unseen">, {again}</span>
        </span>
      )}
    </a>
  );
};

/** A text in which masks are chips; they lead to everywhere that the same secret was masked. */
export const Masked = ({ text, sightings }: { text: string; sightings: Sightings }) => (
  <>
    {splitAtMasks(text).map((piece) =>
      typeof piece === "string" ? piece : <Chip token={piece} sightings={sightings} />,
    )}
  </>
);

/** The same where a link cannot stand: within another one. */
export const MaskedPlain = ({ text }: { text: string }) => (
  <>
    {splitAtMasks(text).map((piece) =>
      typeof piece === "string" ? (
        piece
      ) : (
        <span class="mask" title={`A secret was masked here: ${piece.kind}, fingerprint ${piece.fingerprint}`}>
          {piece.kind}
        </span>
      ),
    )}
  </>
);
