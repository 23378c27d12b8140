-- Settlement files.
select 1;
