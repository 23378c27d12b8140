-- Silent orders are asked about.
select 1;
