CREATE TABLE "upstream_ids" (
	"connection" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"principal_id" uuid NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "upstream_ids_connection_hash_pk" PRIMARY KEY("connection","hash")
);
--> statement-breakpoint
ALTER TABLE "upstream_ids" ADD CONSTRAINT "upstream_ids_principal_id_principals_id_fk" FOREIGN KEY ("principal_id") REFERENCES "public"."principals"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "upstream_ids_expires" ON "upstream_ids" USING btree ("expires_at");