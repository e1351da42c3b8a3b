"""From a request to a reply: sessions, guards, dispatch, transactions, journal and gates."""
