"""The reference retailer: its data generator and demonstrations. Nothing in lib/ imports this package."""
