CREATE TABLE "fetches" (
	"id" uuid PRIMARY KEY NOT NULL,
	"principal_id" uuid NOT NULL,
	"connection" text NOT NULL,
	"repository" text NOT NULL,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"http_status" integer,
	"refs" text[] NOT NULL,
	"wants" text[] NOT NULL,
	"want_count" integer NOT NULL,
	"options" text[] NOT NULL,
	"request_bytes" bigint NOT NULL,
	"response_bytes" bigint NOT NULL,
	"user_agent" text NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"finished_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "lfs_objects" (
	"repository" text NOT NULL,
	"oid" text NOT NULL,
	"bytes" bigint NOT NULL,
	"principal_id" uuid NOT NULL,
	"policy_version" text NOT NULL,
	"uploaded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "lfs_objects_repository_oid_pk" PRIMARY KEY("repository","oid")
);
--> statement-breakpoint
ALTER TABLE "findings" ADD COLUMN "known" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "pushes" ADD COLUMN "part_of" uuid;--> statement-breakpoint
ALTER TABLE "fetches" ADD CONSTRAINT "fetches_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lfs_objects" ADD CONSTRAINT "lfs_objects_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "fetches_principal" ON "fetches" USING btree ("principal_id","started_at");--> statement-breakpoint
CREATE INDEX "fetches_repository" ON "fetches" USING btree ("repository","started_at");--> statement-breakpoint
CREATE INDEX "fetches_started" ON "fetches" USING btree ("started_at");--> statement-breakpoint
ALTER TABLE "pushes" ADD CONSTRAINT "pushes_part_of_pushes_id_fk" FOREIGN KEY ("part_of") REFERENCES "public"."pushes"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "pushes_part_of" ON "pushes" USING btree ("part_of") WHERE "pushes"."part_of" is not null;