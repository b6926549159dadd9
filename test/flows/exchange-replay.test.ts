/** What the record keeps for the replay: how an answer came, and where the same secret was masked. */
import { describe, expect, it } from "vitest";
import { encodeMaskToken, parseMaskToken, splitAtMasks } from "../../src/model/mask-token.ts";
import { encodeMask } from "../../src/secrets/mask-form.ts";
import { decodeTiming } from "../../src/store/answer-timing.ts";
import { countMaskSightings } from "../../src/store/mask-sightings.ts";
import { maskSightings } from "../../src/store/schema.ts";
import { ANA, BEN, recordedExchanges, send, startGateway } from "../copilot/gateway.ts";
import { plantedSlackToken } from "../harness/planted.ts";

const REQUESTS = [
  ["/chat/completions", { model: "gpt-4.1", stream: true, messages: [{ role: "user", content: "Go" }] }],
  ["/responses", { model: "gpt-5.4", stream: true, input: "Go" }],
  [
    "/v1/messages",
    { model: "claude-sonnet-4.5", stream: true, max_tokens: 10, messages: [{ role: "user", content: "Go" }] },
  ],
] as const;

describe("how an answer came", () => {
  it.each(REQUESTS)("is recorded on %s: text and tool arguments", async (path, body) => {
    const gateway = await startGateway();
    const call = { name: "edit", arguments: ['{"path":', '"a.ts"}'] };
    gateway.upstream.respond({ text: ["Hello ", "world"], toolCalls: [call] });
    await send(`${gateway.api}${path}`, { token: ANA, body });
    const [row] = await recordedExchanges(gateway.db);
    const points = decodeTiming(row?.timing ?? Buffer.alloc(0));
    expect(points.at(-1)?.length).toBe('Hello world{"path":"a.ts"}'.length);
    expect(points[0]?.ms).toBeGreaterThanOrEqual(0);
  });

  it("is not recorded of an answer that came in one piece", async () => {
    const gateway = await startGateway();
    await send(`${gateway.api}/chat/completions`, { token: ANA, body: { ...REQUESTS[0][1], stream: false } });
    expect((await recordedExchanges(gateway.db))[0]).toMatchObject({ status: "complete", timing: null });
  });

  it("does not tell the length of a secret that was masked in it", async () => {
    const mask = (text: string) => ({ text: text.replaceAll(plantedSlackToken, "⟦slack:0badcafe⟧"), counts: {} });
    const gateway = await startGateway({ mask });
    gateway.upstream.respond({ text: ["Use ", plantedSlackToken] });
    await send(`${gateway.api}/chat/completions`, { token: ANA, body: REQUESTS[0][1] });
    const [row] = await recordedExchanges(gateway.db);
    expect(decodeTiming(row?.timing ?? Buffer.alloc(0)).at(-1)?.length).toBe("Use ⟦slack:0badcafe⟧".length);
  });
});

describe("a secret that was masked", () => {
  it("is found again in other sessions, by its fingerprint", async () => {
    const masked = encodeMask("slack-token", "0123456789abcdef");
    const gateway = await startGateway({
      mask: (text) => ({ text: text.replaceAll(plantedSlackToken, masked), counts: {} }),
    });
    const ask = (token: string, content: string) =>
      send(`${gateway.api}/chat/completions`, {
        token,
        body: { ...REQUESTS[0][1], messages: [{ role: "user", content }] },
      });
    await ask(ANA, `Post with ${plantedSlackToken}`);
    await ask(ANA, `Again, with ${plantedSlackToken} and ${plantedSlackToken}`);
    await ask(BEN, `Mine is ${plantedSlackToken}`);
    const rows = await gateway.db.select().from(maskSightings);
    expect(rows).toHaveLength(3);
    expect(new Set(rows.map(({ kind }) => kind)).size).toBe(1);
    expect((await countMaskSightings(gateway.db, ["01234567", "ffffffff"], null)).get("01234567")).toEqual({
      sessions: 3,
      pushes: 0,
    });
    const own = await countMaskSightings(gateway.db, ["01234567"], gateway.people.ben.id);
    expect(own.get("01234567")).toEqual({ sessions: 1, pushes: 0 });
  });
});

describe("a mask in a text", () => {
  it("is taken out of it in one piece, as the masking wrote it", () => {
    const masked = encodeMask("aws.key-1_a", "0123456789abcdef");
    const token = { kind: "aws.key-1_a", fingerprint: "01234567" };
    expect(splitAtMasks(`a${masked}${masked}b`)).toEqual(["a", token, token, "b"]);
    expect(encodeMaskToken(token)).toBe(masked);
    expect(parseMaskToken(` ${masked} `)).toEqual(token);
    for (const text of ["", masked + masked, `x${masked}`, "⟦a⟧"]) expect(parseMaskToken(text)).toBeNull();
    for (const text of ["⟦a:0123456⟧", "⟦:01234567⟧", "⟦<b>:01234567⟧", "⟦a:0123456G⟧", "⟦", "plain"]) {
      expect(splitAtMasks(text)).toEqual([text]);
    }
    expect(splitAtMasks("")).toEqual([]);
  });
});
