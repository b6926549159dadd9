CREATE TABLE "baseline" (
	"id" uuid PRIMARY KEY NOT NULL,
	"fingerprint" text NOT NULL,
	"repository" text,
	"path" text,
	"reason" text NOT NULL,
	"added_by" text NOT NULL,
	"added_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"removed_by" text,
	"removed_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "findings" ADD COLUMN "allowed" jsonb;--> statement-breakpoint
ALTER TABLE "findings" ADD COLUMN "baseline" jsonb;--> statement-breakpoint
CREATE INDEX "baseline_fingerprint" ON "baseline" USING btree ("fingerprint");