"""How are tables read, written, merged, streamed, pinned and maintained?"""
