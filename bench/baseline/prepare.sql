-- What the baseline scripts need beside the service's own tables: a counter and a list of orders.
create sequence bench_number cache 1;
create table bench_order (n bigint primary key, reference text not null);
grant usage on sequence bench_number to doisoat_app;
grant select on bench_order to doisoat_app;
