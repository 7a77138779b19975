"""The table that one durable row is written to: made by the measuring process, written by the served one."""

TABLE = "create table if not exists bench_row (id bigint generated always as identity primary key, at timestamptz not null, body bytea not null)"
