-- Refunds.
select 1;
