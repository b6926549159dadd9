import type { CommandIo } from "../command.ts";
import type { GatewayClient } from "./gateway-client.ts";
import type { GitUser } from "./git-user.ts";
import type { Narrator } from "./narrator.ts";
import type { Stage } from "./stage.ts";

/** What every chapter is told with. */
export interface Telling {
  readonly stage: Stage;
  readonly narrator: Narrator;
  readonly io: CommandIo;
}

export interface Player {
  readonly email: string;
  readonly token: string;
  readonly client: GatewayClient;
}

/** ana writes, lee decides. */
export interface Cast {
  readonly ana: Player & { readonly git: GitUser };
  readonly lee: Player;
  /** Where `main` stands upstream before anything happens. */
  readonly mainBefore: string;
}
