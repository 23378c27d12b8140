"""Provider calls: kept, believed, booked in groups, and only then answered."""
