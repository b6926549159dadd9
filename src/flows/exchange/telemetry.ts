/**
 * Telemetry does not go upstream as it comes: it can hold prompts and tool output, past every mask. It is dropped, or goes on stripped to what
 * counts and measures, or masked like the record. Clients are told that all of it was taken, or they would send it again.
 */
import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { acceptedReports, NO_EXPERIMENTS } from "../../copilot/endpoints/telemetry.ts";
import type { JsonObject } from "../../copilot/json-value.ts";
import { createBodyDecoder, readEncoding } from "../../copilot/streams/decode-body.ts";
import { encodeReports, parseReports, type Reports, stripReport } from "../../copilot/telemetry-reports.ts";
import { maskJson } from "../../secrets/mask-json.ts";
import type { ExchangeRequest } from "../exchange.ts";
import { REQUEST_ID, upstreamHeaders } from "./headers.ts";
import type { Mask } from "./mask-messages.ts";
import { failedEnd, NOTHING } from "./outcome.ts";
import { readBody } from "./read-body.ts";
import type { ExchangeStart } from "./record.ts";
import type { Records } from "./records.ts";
import { DATABASE_AWAY, sendRefusal } from "./refusals.ts";
import type { Upstreams } from "./upstream.ts";
import { drainAnswer } from "./upstream-answer.ts";

export interface TelemetryDependencies {
  readonly upstreams: Upstreams;
  readonly limits: { readonly requestBytes: number; readonly idleMs: number };
  readonly mask: Mask;
  readonly records: Records;
}

export interface Telemetry {
  answer(exchange: ExchangeRequest, start: ExchangeStart): Promise<void>;
}

/** Of the client's; no other header and no parameter of the address is part of a report. */
const TELEMETRY_HEADERS: ReadonlySet<string> = new Set(["accept", "content-type"]);

export function createTelemetry(deps: TelemetryDependencies): Telemetry {
  async function drop(response: ServerResponse, start: ExchangeStart, message: string): Promise<void> {
    await deps.records.refuse(start, { httpStatus: 200, code: "dropped", message });
    sendLocal(response, start.id, acceptedReports(1));
  }

  /** The reports as the connection lets them go; null where they cannot be read, and so cannot be let go. */
  async function readReports({ request, connection }: ExchangeRequest): Promise<Reports | null> {
    const body = await readBody(request, deps.limits.requestBytes);
    const encoding = readEncoding(request.headers["content-encoding"]);
    if (body === null || encoding === null) return null;
    const decoder = encoding === "identity" ? null : createBodyDecoder(encoding, deps.limits.requestBytes);
    const plain = decoder === null ? body : Buffer.concat([await decoder.push(body), await decoder.end()]);
    if (decoder !== null && decoder.failure !== null) return null;
    const reports = parseReports(plain);
    if (reports === null) return null;
    const masked = (envelope: JsonObject) => maskJson(envelope, (text) => deps.mask(text).text) as JsonObject;
    const strip = connection.rules.telemetry === "strip";
    return {
      ...reports,
      envelopes: reports.envelopes.map((one) => masked(strip ? (stripReport(one) as JsonObject) : one)),
    };
  }

  async function relay(exchange: ExchangeRequest, start: ExchangeStart, reports: Reports): Promise<void> {
    const { request, response, connection } = exchange;
    const packed = request.headers["content-encoding"] !== undefined;
    const body = packed ? gzipSync(encodeReports(reports)) : encodeReports(reports);
    const record = await deps.records.begin({ ...start, requestBytes: body.length }, "refuse");
    if (record === null) return sendRefusal(response, start.id, DATABASE_AWAY);
    const count = reports.envelopes.length;
    try {
      const url = new URL(`${connection.rules.telemetryUrl ?? connection.url}telemetry`);
      // The collector is no part of the API: it gets no credential, neither the gateway's nor the person's.
      const anonymous = { ...connection, credential: { kind: "none" } } as const;
      const said = Object.entries(request.headers).filter(([name]) => TELEMETRY_HEADERS.has(name));
      const headers = upstreamHeaders(Object.fromEntries(said), {
        connection: anonymous,
        host: url.host,
        bodyBytes: body.length,
        plain: true,
      });
      const answer = await deps.upstreams.send({
        url,
        method: "POST",
        headers: { ...headers, ...(packed ? { "content-encoding": "gzip" } : {}) },
        body,
        signal: AbortSignal.timeout(deps.limits.idleMs),
        idleMs: deps.limits.idleMs,
      });
      drainAnswer(answer);
      const httpStatus = answer.statusCode;
      const status = httpStatus < 400 ? "complete" : "upstream_failed";
      const error = status === "complete" ? null : `The upstream answered ${httpStatus}.`;
      await deps.records.settle(record, { ...NOTHING, status, httpStatus, error });
    } catch (error) {
      await deps.records.settle(record, failedEnd(error));
    }
    // Whatever the collector said: nothing that a client could do would be better than going on with its work.
    sendLocal(response, start.id, acceptedReports(count));
  }

  return {
    async answer(exchange, start) {
      const { request, response, connection } = exchange;
      if (start.method === "GET") {
        await deps.records.refuse(start, {
          httpStatus: 200,
          code: "local",
          message: "Answered by the gateway: there are no experiments.",
        });
        return sendLocal(response, start.id, NO_EXPERIMENTS);
      }
      if (connection.rules.telemetry === "drop") {
        const body = await readBody(request, deps.limits.requestBytes);
        const bytes = body === null ? `more than ${deps.limits.requestBytes}` : String(body.length);
        return await drop(
          response,
          { ...start, requestBytes: body?.length ?? 0 },
          `Dropped: ${bytes} bytes of telemetry.`,
        );
      }
      const reports = await readReports(exchange);
      if (reports === null) return await drop(response, start, "Dropped: telemetry that cannot be read.");
      await relay(exchange, start, reports);
    },
  };
}

/** An answer of the gateway's own. */
export function sendLocal(response: ServerResponse, id: string, json: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(200, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(json),
    [REQUEST_ID]: id,
    ...(response.req.readableEnded ? {} : { connection: "close" }),
  });
  response.end(json);
}
