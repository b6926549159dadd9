CREATE TABLE "added_hunks" (
	"push_id" uuid NOT NULL,
	"oid" text NOT NULL,
	"ordinal" integer NOT NULL,
	"path" text NOT NULL,
	"start_line" integer NOT NULL,
	"text" text NOT NULL,
	CONSTRAINT "added_hunks_push_id_oid_ordinal_pk" PRIMARY KEY("push_id","oid","ordinal")
);
--> statement-breakpoint
CREATE TABLE "approvals" (
	"id" uuid PRIMARY KEY NOT NULL,
	"push_id" uuid NOT NULL,
	"status" text NOT NULL,
	"requirements" jsonb NOT NULL,
	"requested_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"closed_at" timestamp with time zone,
	CONSTRAINT "approvals_push" UNIQUE("push_id")
);
--> statement-breakpoint
CREATE TABLE "commit_lines" (
	"push_id" uuid NOT NULL,
	"oid" text NOT NULL,
	"ordinal" integer NOT NULL,
	"path" text NOT NULL,
	"from" integer NOT NULL,
	"to" integer NOT NULL,
	"verdict" text NOT NULL,
	"exchange_id" uuid,
	"session_id" uuid,
	"score" double precision NOT NULL,
	CONSTRAINT "commit_lines_push_id_oid_ordinal_pk" PRIMARY KEY("push_id","oid","ordinal")
);
--> statement-breakpoint
CREATE TABLE "commit_sessions" (
	"push_id" uuid NOT NULL,
	"oid" text NOT NULL,
	"session_id" uuid NOT NULL,
	"reason" text NOT NULL,
	"confidence" double precision NOT NULL,
	"exchange_ids" uuid[] NOT NULL,
	CONSTRAINT "commit_sessions_push_id_oid_session_id_reason_pk" PRIMARY KEY("push_id","oid","session_id","reason")
);
--> statement-breakpoint
CREATE TABLE "commits" (
	"push_id" uuid NOT NULL,
	"oid" text NOT NULL,
	"ordinal" integer NOT NULL,
	"repository" text NOT NULL,
	"parents" text[] NOT NULL,
	"author_name" text NOT NULL,
	"author_email" text NOT NULL,
	"authored_at" timestamp with time zone NOT NULL,
	"committer_name" text NOT NULL,
	"committer_email" text NOT NULL,
	"committed_at" timestamp with time zone NOT NULL,
	"message" text NOT NULL,
	"attributed_at" timestamp with time zone,
	CONSTRAINT "commits_push_id_oid_pk" PRIMARY KEY("push_id","oid")
);
--> statement-breakpoint
CREATE TABLE "decisions" (
	"approval_id" uuid NOT NULL,
	"principal_id" uuid NOT NULL,
	"decision" text NOT NULL,
	"reason" text NOT NULL,
	"groups" text[] NOT NULL,
	"decided_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "decisions_approval_id_principal_id_pk" PRIMARY KEY("approval_id","principal_id")
);
--> statement-breakpoint
CREATE TABLE "events" (
	"seq" bigserial PRIMARY KEY NOT NULL,
	"id" uuid NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"kind" text NOT NULL,
	"principal_id" uuid,
	"repository" text,
	"subject" text,
	"data" jsonb NOT NULL,
	CONSTRAINT "events_id" UNIQUE("id")
);
--> statement-breakpoint
CREATE TABLE "exchange_messages" (
	"exchange_id" uuid NOT NULL,
	"direction" text NOT NULL,
	"ordinal" integer NOT NULL,
	"message_id" uuid NOT NULL,
	CONSTRAINT "exchange_messages_exchange_id_direction_ordinal_pk" PRIMARY KEY("exchange_id","direction","ordinal")
);
--> statement-breakpoint
CREATE TABLE "exchanges" (
	"id" uuid PRIMARY KEY NOT NULL,
	"session_id" uuid NOT NULL,
	"principal_id" uuid NOT NULL,
	"connection" text NOT NULL,
	"format" text NOT NULL,
	"method" text NOT NULL,
	"path" text NOT NULL,
	"model" text,
	"interaction" text,
	"agent_task" text,
	"parent_agent" text,
	"initiator" text,
	"user_agent" text NOT NULL,
	"status" text NOT NULL,
	"http_status" integer,
	"streamed" boolean,
	"started_at" timestamp with time zone NOT NULL,
	"first_byte_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"request_bytes" bigint DEFAULT 0 NOT NULL,
	"response_bytes" bigint DEFAULT 0 NOT NULL,
	"input_tokens" integer,
	"output_tokens" integer,
	"upstream_request_id" text,
	"masked" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"error" text
);
--> statement-breakpoint
CREATE TABLE "findings" (
	"id" uuid PRIMARY KEY NOT NULL,
	"push_id" uuid NOT NULL,
	"rule" text NOT NULL,
	"description" text NOT NULL,
	"severity" text NOT NULL,
	"source" text NOT NULL,
	"oid" text,
	"path" text,
	"line" integer NOT NULL,
	"column" integer NOT NULL,
	"end_column" integer NOT NULL,
	"fingerprint" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"session_id" uuid NOT NULL,
	"hash" "bytea" NOT NULL,
	"role" text NOT NULL,
	"parts" jsonb NOT NULL,
	CONSTRAINT "messages_session_hash" UNIQUE("session_id","hash")
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" uuid PRIMARY KEY NOT NULL,
	"notifier" text NOT NULL,
	"kind" text NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"next_attempt_at" timestamp with time zone DEFAULT now() NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"sent_at" timestamp with time zone,
	"failed_at" timestamp with time zone,
	"last_error" text
);
--> statement-breakpoint
CREATE TABLE "principals" (
	"id" uuid PRIMARY KEY NOT NULL,
	"issuer" text NOT NULL,
	"subject" text NOT NULL,
	"email" text NOT NULL,
	"kind" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "principals_issuer_subject" UNIQUE("issuer","subject")
);
--> statement-breakpoint
CREATE TABLE "push_refs" (
	"push_id" uuid NOT NULL,
	"ordinal" integer NOT NULL,
	"ref" text NOT NULL,
	"old_oid" text NOT NULL,
	"new_oid" text NOT NULL,
	"forced" boolean NOT NULL,
	"verdict" text NOT NULL,
	"reason" text,
	"upstream_status" text,
	CONSTRAINT "push_refs_push_id_ordinal_pk" PRIMARY KEY("push_id","ordinal")
);
--> statement-breakpoint
CREATE TABLE "pushes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"principal_id" uuid NOT NULL,
	"connection" text NOT NULL,
	"repository" text NOT NULL,
	"upstream_path" text NOT NULL,
	"status" text NOT NULL,
	"policy_version" text NOT NULL,
	"binding" text NOT NULL,
	"object_format" text NOT NULL,
	"head" "bytea" NOT NULL,
	"push_options" text[] NOT NULL,
	"pack_blob" text,
	"pack_bytes" bigint NOT NULL,
	"lines_truncated" boolean DEFAULT false NOT NULL,
	"user_agent" text NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	"lease_until" timestamp with time zone,
	"error" text
);
--> statement-breakpoint
CREATE TABLE "ref_diffs" (
	"push_id" uuid NOT NULL,
	"ref" text NOT NULL,
	"diff" text NOT NULL,
	"truncated" boolean NOT NULL,
	CONSTRAINT "ref_diffs_push_id_ref_pk" PRIMARY KEY("push_id","ref")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"principal_id" uuid NOT NULL,
	"connection" text NOT NULL,
	"client" text NOT NULL,
	"client_key" text NOT NULL,
	"title" text,
	"started_at" timestamp with time zone NOT NULL,
	"last_active_at" timestamp with time zone NOT NULL,
	CONSTRAINT "sessions_person_key" UNIQUE("principal_id","connection","client_key")
);
--> statement-breakpoint
CREATE TABLE "suggestions" (
	"exchange_id" uuid NOT NULL,
	"ordinal" integer NOT NULL,
	"session_id" uuid NOT NULL,
	"principal_id" uuid NOT NULL,
	"path" text,
	"kind" text NOT NULL,
	"line_hashes" "bytea" NOT NULL,
	"suggested_at" timestamp with time zone NOT NULL,
	CONSTRAINT "suggestions_exchange_id_ordinal_pk" PRIMARY KEY("exchange_id","ordinal")
);
--> statement-breakpoint
CREATE TABLE "tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"principal_id" uuid NOT NULL,
	"name" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"groups" text[] NOT NULL,
	"audiences" text[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "tokens_hash" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "web_sessions" (
	"hash" "bytea" PRIMARY KEY NOT NULL,
	"principal_id" uuid NOT NULL,
	"token_id" uuid,
	"groups" text[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "added_hunks" ADD CONSTRAINT "added_hunks_push_id_oid_commits_push_id_oid_fk" FOREIGN KEY ("push_id","oid") REFERENCES "public"."commits"("push_id","oid") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "approvals" ADD CONSTRAINT "approvals_push_id_pushes_id_fk" FOREIGN KEY ("push_id") REFERENCES "public"."pushes"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "commit_lines" ADD CONSTRAINT "commit_lines_push_id_oid_commits_push_id_oid_fk" FOREIGN KEY ("push_id","oid") REFERENCES "public"."commits"("push_id","oid") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "commit_sessions" ADD CONSTRAINT "commit_sessions_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "commit_sessions" ADD CONSTRAINT "commit_sessions_push_id_oid_commits_push_id_oid_fk" FOREIGN KEY ("push_id","oid") REFERENCES "public"."commits"("push_id","oid") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "commits" ADD CONSTRAINT "commits_push_id_pushes_id_fk" FOREIGN KEY ("push_id") REFERENCES "public"."pushes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_approval_id_approvals_id_fk" FOREIGN KEY ("approval_id") REFERENCES "public"."approvals"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "exchange_messages" ADD CONSTRAINT "exchange_messages_exchange_id_exchanges_id_fk" FOREIGN KEY ("exchange_id") REFERENCES "public"."exchanges"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "exchange_messages" ADD CONSTRAINT "exchange_messages_message_id_messages_id_fk" FOREIGN KEY ("message_id") REFERENCES "public"."messages"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "exchanges" ADD CONSTRAINT "exchanges_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "exchanges" ADD CONSTRAINT "exchanges_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "findings" ADD CONSTRAINT "findings_push_id_pushes_id_fk" FOREIGN KEY ("push_id") REFERENCES "public"."pushes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_session_id_sessions_id_fk" FOREIGN KEY ("session_id") REFERENCES "public"."sessions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "push_refs" ADD CONSTRAINT "push_refs_push_id_pushes_id_fk" FOREIGN KEY ("push_id") REFERENCES "public"."pushes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pushes" ADD CONSTRAINT "pushes_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ref_diffs" ADD CONSTRAINT "ref_diffs_push_id_pushes_id_fk" FOREIGN KEY ("push_id") REFERENCES "public"."pushes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "suggestions" ADD CONSTRAINT "suggestions_exchange_id_exchanges_id_fk" FOREIGN KEY ("exchange_id") REFERENCES "public"."exchanges"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tokens" ADD CONSTRAINT "tokens_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "web_sessions" ADD CONSTRAINT "web_sessions_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "web_sessions" ADD CONSTRAINT "web_sessions_token_id_tokens_id_fk" FOREIGN KEY ("token_id") REFERENCES "public"."tokens"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "approvals_status" ON "approvals" USING btree ("status","expires_at");--> statement-breakpoint
CREATE INDEX "commit_sessions_session" ON "commit_sessions" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "commits_oid" ON "commits" USING btree ("oid");--> statement-breakpoint
CREATE INDEX "commits_repository" ON "commits" USING btree ("repository","oid");--> statement-breakpoint
CREATE INDEX "commits_unattributed" ON "commits" USING btree ("push_id") WHERE "commits"."attributed_at" is null;--> statement-breakpoint
CREATE INDEX "events_at" ON "events" USING btree ("at");--> statement-breakpoint
CREATE INDEX "events_kind" ON "events" USING btree ("kind","at");--> statement-breakpoint
CREATE INDEX "exchanges_session" ON "exchanges" USING btree ("session_id","started_at");--> statement-breakpoint
CREATE INDEX "exchanges_principal" ON "exchanges" USING btree ("principal_id","started_at");--> statement-breakpoint
CREATE INDEX "exchanges_open" ON "exchanges" USING btree ("started_at") WHERE "exchanges"."status" = 'open';--> statement-breakpoint
CREATE INDEX "findings_push" ON "findings" USING btree ("push_id");--> statement-breakpoint
CREATE INDEX "findings_fingerprint" ON "findings" USING btree ("fingerprint");--> statement-breakpoint
CREATE INDEX "outbox_due" ON "outbox" USING btree ("next_attempt_at") WHERE "outbox"."sent_at" is null and "outbox"."failed_at" is null;--> statement-breakpoint
CREATE INDEX "principals_email" ON "principals" USING btree ("email");--> statement-breakpoint
CREATE INDEX "push_refs_ref" ON "push_refs" USING btree ("ref");--> statement-breakpoint
CREATE INDEX "pushes_principal" ON "pushes" USING btree ("principal_id","received_at");--> statement-breakpoint
CREATE INDEX "pushes_repository" ON "pushes" USING btree ("repository","received_at");--> statement-breakpoint
CREATE INDEX "pushes_status" ON "pushes" USING btree ("status");--> statement-breakpoint
CREATE UNIQUE INDEX "pushes_open_binding" ON "pushes" USING btree ("principal_id","binding") WHERE "pushes"."status" = 'held';--> statement-breakpoint
CREATE INDEX "sessions_active" ON "sessions" USING btree ("last_active_at");--> statement-breakpoint
CREATE INDEX "sessions_client_key" ON "sessions" USING btree ("client_key");--> statement-breakpoint
CREATE INDEX "suggestions_person" ON "suggestions" USING btree ("principal_id","suggested_at");--> statement-breakpoint
CREATE INDEX "tokens_principal" ON "tokens" USING btree ("principal_id");