DROP POLICY review_item_conflict ON review_item;
