"""media: packets and peers: forwarding by grants, recording to the spool, shipping to the stores."""
