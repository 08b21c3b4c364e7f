"""transports/vos"""
