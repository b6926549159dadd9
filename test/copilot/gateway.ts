/** The Copilot half of a gateway, on real sockets and a real database, before the fixture's upstream. */
import { once } from "node:events";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { sql } from "drizzle-orm";
import { onTestFinished } from "vitest";
import { type CopilotUpstream, startCopilotUpstream } from "../../fixtures/copilot-upstream/server.ts";
import { createUpstreamSockets, type UpstreamSockets } from "../../fixtures/copilot-upstream/websocket.ts";
import type { Spool } from "../../src/blobs/disk-spool.ts";
import { findToolUses } from "../../src/copilot/tools/find-tool-uses.ts";
import { err, ok } from "../../src/errors.ts";
import { createExchangeFlow, type ExchangeDependencies } from "../../src/flows/exchange.ts";
import {
  createRecords,
  RECORD_LIMITS,
  type Records,
  type RecordsDependencies,
} from "../../src/flows/exchange/records.ts";
import type { Mask } from "../../src/flows/exchange/mask-messages.ts";
import type { FinishedExchange } from "../../src/flows/exchange/record.ts";
import {
  type CopilotConnection,
  DEFAULT_MODEL_POLICY,
  DEFAULT_WIRE_RULES,
  type ModelPolicy,
  type UpstreamCredential,
  type WireRules,
} from "../../src/model/connection.ts";
import type { StopWatch } from "../../src/flows/stopping.ts";
import { newId } from "../../src/model/id.ts";
import type { LogFields } from "../../src/model/log.ts";
import type { Principal } from "../../src/model/principal.ts";
import type { Database, DatabaseHandle } from "../../src/store/database.ts";
import { exchanges, principals } from "../../src/store/schema.ts";
import type { Identify } from "../../src/identity/identity.ts";
import { createCopilotHandler, createCopilotUpgrade } from "../../src/web/copilot.ts";
import { STREAMING_SERVER_OPTIONS } from "../../src/web/node-adapter.ts";
import { createUpgrades } from "../../src/web/upgrades.ts";
import { testDatabase } from "../harness/database.ts";
import { plantedAwsKey, plantedPem, plantedSlackToken } from "../harness/planted.ts";

export const UPSTREAM_KEY = "upstream-key-of-the-company";
export const ANA = "gho_ana";
export const BEN = "gho_ben";
export const SECRETS = [plantedAwsKey, plantedSlackToken, plantedPem];

/** Knows the planted secrets by their text, whole: a mask that is shown a part of one masks nothing. */
export const plantedMask: Mask = (text) => {
  const counts: Record<string, number> = {};
  let masked = text;
  for (const [index, secret] of SECRETS.entries()) {
    const pieces = masked.split(secret);
    if (pieces.length > 1) counts[`planted-${index}`] = pieces.length - 1;
    masked = pieces.join(`⟦planted-${index}⟧`);
  }
  return { text: masked, counts };
};

export interface Gateway {
  readonly id: string;
  readonly url: string;
  /** e.g. `http://127.0.0.1:1234/copilot/copilot` */
  readonly api: string;
  readonly upstream: CopilotUpstream;
  readonly db: Database;
  readonly handle: DatabaseHandle;
  readonly records: Records;
  /** What the upstream's end of WebSockets has seen. */
  readonly sockets: UpstreamSockets;
  /** Takes a person's token away. */
  revoke(token: string): void;
  /** What a stopping gateway does first. */
  readonly stopping: AbortController;
  readonly finished: FinishedExchange[];
  readonly log: { readonly message: string; readonly fields: LogFields }[];
  readonly people: { readonly ana: Principal; readonly ben: Principal };
}

export interface GatewayOptions {
  readonly credential?: UpstreamCredential;
  readonly rules?: Partial<WireRules>;
  readonly connection?: Partial<CopilotConnection>;
  readonly upstreamUrl?: string;
  readonly limits?: ExchangeDependencies["limits"];
  readonly policy?: Partial<ModelPolicy>;
  readonly mask?: Mask;
  readonly sent?: ExchangeDependencies["sent"];
  readonly stops?: (db: Database) => StopWatch;
  readonly spool?: Spool;
  /** Absent: a database of the test's own. */
  readonly database?: DatabaseHandle;
  readonly indexRows?: RecordsDependencies["indexRows"];
}

/** Everything ends with the test that called it. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const handle = options.database ?? (await testDatabase());
  const bearer = (options.credential ?? { kind: "bearer" }).kind === "bearer" ? { bearer: UPSTREAM_KEY } : {};
  const sockets = createUpstreamSockets(bearer);
  const upstream = await startCopilotUpstream({ ...bearer, onUpgrade: sockets.onUpgrade });
  const stopping = new AbortController();
  const people = { ana: await person(handle.db, "ana@example.com"), ben: await person(handle.db, "ben@example.com") };
  const tokens = new Map<string, Principal>([
    [ANA, people.ana],
    [BEN, people.ben],
  ]);
  const identify: Identify = ({ headers, pathToken, passthrough }) => {
    const own = headers["sallyport-token"];
    const bearer = passthrough === true ? undefined : /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
    const known = tokens.get(typeof own === "string" ? own : (pathToken ?? bearer ?? ""));
    return Promise.resolve(
      known === undefined
        ? err({ reason: "unknown", message: "This token is not known here." })
        : ok({ principal: known, tokenId: known.id }),
    );
  };
  const connection = (name: string, allow: readonly string[]): CopilotConnection => ({
    kind: "copilot",
    name,
    url: `${options.upstreamUrl ?? upstream.url}/`,
    proxyUrl: null,
    policy: { ...DEFAULT_MODEL_POLICY, ...options.policy },
    credential: options.credential ?? { kind: "bearer", token: UPSTREAM_KEY },
    allow,
    rules: { ...DEFAULT_WIRE_RULES, ...options.rules },
    ...options.connection,
  });
  const finished: FinishedExchange[] = [];
  const log: { message: string; fields: LogFields }[] = [];
  const note = (fields: LogFields, message: string) => void log.push({ message, fields });
  const gatewayId = newId();
  const common = {
    db: handle.db,
    mask: options.mask ?? plantedMask,
    recordKey: Buffer.alloc(32, 7),
    now: () => new Date(),
    log: { debug: note, info: note, warn: note, error: note },
  };
  const records = createRecords({
    ...common,
    findToolUses,
    gateway: gatewayId,
    limits: { ...RECORD_LIMITS, ...options.limits },
    ...(options.spool === undefined ? {} : { spool: options.spool }),
    indexRows: (exchange) => {
      finished.push(exchange);
      return options.indexRows?.(exchange) ?? [];
    },
  });
  const flow = createExchangeFlow({
    ...common,
    records,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.sent === undefined ? {} : { sent: options.sent }),
    ...(options.stops === undefined ? {} : { stops: options.stops(handle.db) }),
  });
  const connections = [connection("copilot", ["eng"]), connection("closed", ["nobody-is-in-this-group"])];
  const handler = createCopilotHandler({ connections, identify, exchanges: flow, mask: (text: string) => text });
  const onRequest = (request: IncomingMessage, response: ServerResponse) => void handler(request, response);
  const server = createServer(STREAMING_SERVER_OPTIONS, onRequest);
  const upgrades = createUpgrades(onRequest);
  upgrades.handle(
    createCopilotUpgrade({ connections, identify, exchanges: flow, mask: (text: string) => text }, stopping.signal),
  );
  server.on("upgrade", upgrades.onUpgrade);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    server.closeAllConnections();
    upgrades.closeAllConnections();
    server.close();
    sockets.close();
    await records.drain();
    flow.close();
    await upstream.close();
  });
  return {
    id: gatewayId,
    url,
    api: `${url}/copilot/copilot`,
    upstream,
    sockets,
    stopping,
    revoke: (token) => void tokens.delete(token),
    db: handle.db,
    handle,
    records,
    finished,
    log,
    people,
  };
}

async function person(db: Database, email: string): Promise<Principal> {
  const id = newId();
  await db.insert(principals).values({ id, issuer: "test", subject: email, email, kind: "person" });
  return { id, issuer: "test", subject: email, email, kind: "person", groups: ["eng"], audiences: ["copilot"] };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The connection broke before the answer's own end. */
  readonly broken: boolean;
}

/** One request, by `node:http`, so that the bytes are seen as they come. A body that is no Buffer is sent as JSON. */
export function send(
  url: string,
  options: { method?: string; token?: string; headers?: Record<string, string>; body?: unknown; path?: string } = {},
): Promise<Reply> {
  const { token = ANA, headers = {}, body } = options;
  const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method: options.method ?? (bytes === undefined ? "GET" : "POST"),
      ...(options.path === undefined ? {} : { path: options.path }),
      agent: false,
      headers: {
        ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
        ...(bytes === undefined ? {} : { "content-type": "application/json", "content-length": bytes.length }),
        ...headers,
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      const end = (broken: boolean) => {
        const whole = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: whole,
          text: whole.toString("utf8"),
          broken,
        });
      };
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => end(false));
      response.on("error", () => end(true));
    });
    request.end(bytes);
  });
}

/** The rows of `exchanges`, the oldest first. */
export const recordedExchanges = (db: Database) => db.select().from(exchanges).orderBy(exchanges.id);

/** Every column of every table as one text. */
export async function dumpDatabase(db: Database): Promise<string> {
  const tables = await db.execute<{ name: string }>(
    sql`select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  const dumps: string[] = [];
  for (const { name } of tables) {
    const rows = await db.execute<{ row: string }>(sql`select t::text as row from ${sql.identifier(name)} t`);
    dumps.push(...rows.map(({ row }) => row));
  }
  return dumps.join("\n");
}
