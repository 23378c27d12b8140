-- Calls that were not believed come back.
select 1;
