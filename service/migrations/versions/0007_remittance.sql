-- Remittance.
select 1;
