/** What listens: the pages, the API, and the doors of Git and Copilot, each with what it needs of the gateway. */
import { createApp } from "../app.ts";
import type { Config } from "../config.ts";
import type { Result } from "../errors.ts";
import type { ApprovalRequest, DecisionRefusal } from "../flows/approval.ts";
import type { SignInRule } from "../flows/approval/decider.ts";
import type { ExchangeFlow } from "../flows/exchange.ts";
import type { FetchRecorder } from "../flows/fetches.ts";
import type { LfsFlow } from "../flows/lfs.ts";
import { mayAccess } from "../git/repository-access.ts";
import type { GitUpstream } from "../git/upstream.ts";
import type { PushRequest } from "../git/push-exchange.ts";
import type { Logger } from "../model/log.ts";
import type { PushHeadLimits } from "../model/push-limits.ts";
import { isNamed } from "../model/who.ts";
import type { Scanner } from "../secrets/scanner.ts";
import type { Database } from "../store/database.ts";
import { createCopilotHandler } from "../web/copilot.ts";
import { createProxies } from "../web/forwarded.ts";
import { createLfsHandler } from "../web/lfs.ts";
import type { ReadAccess } from "../web/read-access.ts";
import { createSignIn } from "../web/sign-in.ts";
import type { openPeople } from "./people.ts";

export interface WebOptions {
  readonly config: Config;
  readonly publicUrl: string;
  readonly version: string;
  readonly scanner: Scanner;
  readonly log: Logger;
  readonly now: () => Date;
  readonly db: Database;
  readonly people: ReturnType<typeof openPeople>;
  readonly upstream: (connection: string) => GitUpstream;
  readonly limits: (repository: string) => { readonly head: PushHeadLimits };
  readonly pushFlow: (request: PushRequest) => Promise<void>;
  readonly lfsFlow: LfsFlow;
  readonly exchanges: ExchangeFlow;
  readonly recordsWaiting: () => Promise<number>;
  readonly fetches: FetchRecorder;
  readonly decide: (request: ApprovalRequest) => Promise<Result<void, DecisionRefusal>>;
  /** Null: there is no identity provider, and a gateway token decides. */
  readonly signIns: SignInRule | null;
  readonly bodyMs?: number;
}

/** @returns also what WebSockets of Copilot clients need, which come by no route */
export function createWeb(options: WebOptions) {
  const { config, publicUrl, version, log, now, db, limits, decide, signIns } = options;
  const { provider, identity, authenticate, identify, identifyAway } = options.people;
  const mask = (text: string): string => options.scanner.maskName(text);
  const access: ReadAccess = {
    isAuditor: (principal) => isNamed(principal, config.auditors),
    mayReadRepository: (principal, repository) => {
      const [name = "", ...below] = repository.split("/");
      const connection = config.connections.get(name);
      return connection?.kind === "git" && mayAccess(principal, connection, below.join("/"), "read");
    },
  };
  const records = { db, publicUrl, access };
  const proxies = createProxies(config.proxies);
  const { clientAddress } = proxies;
  const copilot = {
    connections: [...config.connections.values()].filter((connection) => connection.kind !== "git"),
    identify,
    identifyAway,
    exchanges: options.exchanges,
    mask,
  };
  const app = createApp({
    git: {
      connections: config.connections,
      upstream: options.upstream,
      authenticate,
      pushFlow: options.pushFlow,
      onFetch: (fetch) => options.fetches.record(fetch),
      now,
      lfs: createLfsHandler({ flow: options.lfsFlow, mask, log }),
      headLimits: (repository) => limits(repository).head,
      mask,
      log,
    },
    copilot: createCopilotHandler(copilot),
    github: {
      db,
      publicUrl,
      github: config.github,
      connections: config.connections,
      identity,
      signIn: createSignIn({ db, identity, publicUrl, now, people: provider?.people ?? null, clientAddress }),
      proxies,
      mask,
      log,
      now,
    },
    api: {
      ...records,
      identity,
      decide,
      isOperator: (principal) => isNamed(principal, config.operators),
      mask,
      version,
      log,
      now,
    },
    pages: {
      ...records,
      identity,
      provider,
      clientAddress,
      decide,
      signIns,
      mask,
      log,
      now,
      connections: config.connections,
      steeredTo: config.github.connection,
    },
    health: { db, version, recordsWaiting: options.recordsWaiting, log, now },
    log,
    ...(options.bodyMs === undefined ? {} : { bodyMs: options.bodyMs }),
  });
  return { app, copilot };
}
